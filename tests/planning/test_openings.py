"""What a firewall between the hosts of a job must let through."""

from __future__ import annotations

from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.rendering import render_text
from launcher.specs import Cluster, Framework, Host, Ray, Recipe, Ssh


def planned(*addresses: str, framework: Framework = Framework.MINDSPORE, **more: object) -> LaunchPlan:
    hosts = tuple(Host(name=f"h{n}", address=a, devices=2) for n, a in enumerate(addresses))
    cluster = Cluster.model_validate({"name": "c", "soc": "CPU", "hosts": hosts, **more})
    recipe = Recipe(name="r", framework=framework, ranks=2 * len(hosts), script="/job/train.py", relative_to="/job")
    return plan(recipe, cluster, Place.example(recipe))


def said(launch: LaunchPlan) -> dict[str, str]:
    return {opening.ports: opening.to for opening in launch.openings}


def test_a_job_on_one_host_needs_no_opening() -> None:
    assert planned("10.0.0.1").openings == ()
    assert "open between the hosts" not in render_text(planned("10.0.0.1"))


def test_the_ports_of_ssh_ray_and_the_meeting_place_are_told() -> None:
    launch = planned("10.0.0.1", "10.0.0.2", ssh=Ssh(port=2222), ray=Ray(port=21000))
    told = said(launch)
    assert told["2222"].startswith("ssh")
    assert told["21000"] == "Ray's head"
    assert {"21001-21009", "21012-21063", "8118"} <= told.keys()
    head = next(opening for opening in launch.openings if opening.to == "Ray's head")
    assert head.on == ("h0",)
    assert "21000/tcp on h0: Ray's head" in render_text(launch)


def test_of_a_ray_that_is_there_already_nothing_is_told() -> None:
    launch = planned("10.0.0.1", "10.0.0.2", ray=Ray(address="10.0.0.9:6379"))
    assert not [opening for opening in launch.openings if "Ray" in opening.to]


def test_plain_ranks_have_no_meeting_place() -> None:
    launch = planned("10.0.0.1", "10.0.0.2", framework=Framework.PLAIN)
    assert not [opening for opening in launch.openings if "meet" in opening.to]
