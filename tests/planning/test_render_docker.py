"""A plan as containers, one a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scripts import BASH, HOSTILE, TEXTS, bash, complaints, cpus, npus, plain, planned, said

from launcher.errors import PlanError
from launcher.planning.model import LaunchPlan
from launcher.planning.rendering import docker_files, render_docker
from launcher.planning.rendering.container import in_container
from launcher.specs import Cluster, Container, ContainerRuntime, Recipe

IMAGE = Container(image="ascend/train:1")
# Says how it was called, and runs the command of the container outside of one.
DOCKER = """\
#!{bash}
printf '%s\\n' "$@" >"{calls}"
while [[ $1 != ascend/train:1 ]]; do shift; done
shift
exec "$@"
"""


def called(folder: Path, recipe: Recipe, cluster: Cluster, *arguments: str) -> tuple[list[str], LaunchPlan]:
    """What `docker` is told by the script of a plan, which then runs its ranks."""
    launch = planned(recipe, cluster, folder)
    (folder / "docker.sh").write_text(render_docker(launch, recipe, cluster))
    return told(folder, folder / "docker.sh", *arguments), launch


def told(folder: Path, script: Path, *arguments: str) -> list[str]:
    """What a script tells `docker`."""
    docker = folder / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(bash=BASH, calls=folder / "calls"))
    docker.chmod(0o755)
    done = bash(script, *arguments, env={"PATH": f"{docker.parent}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr
    return (folder / "calls").read_text().splitlines()


def test_one_container_a_host_runs_its_ranks(tmp_path: Path) -> None:
    recipe = plain(tmp_path, args={"x": f"{HOSTILE}\nRANKS\n$(touch x)"}, ranks=4)
    words, launch = called(tmp_path, recipe, cpus(hosts=2, each=2, container=IMAGE), "host-1")
    assert words[:4] == ["run", "--rm", "--interactive", "--name=RUN-host-1"]
    assert words[-5:] == ["ascend/train:1", "bash", "-s", "--", "host-1"]
    assert not Path(launch.ranks[0].log).exists()
    assert tuple(said(launch.ranks[3])["argv"]) == launch.ranks[3].argv[2:]
    assert not list(tmp_path.rglob("x"))


def test_devices_and_driver_are_passed_in_by_name(tmp_path: Path) -> None:
    words, _ = called(tmp_path, plain(tmp_path), npus(4, 5, container=IMAGE))
    assert [word for word in words if word.startswith("--device=")] == [
        *("--device=/dev/davinci4", "--device=/dev/davinci5"),
        *("--device=/dev/davinci_manager", "--device=/dev/devmm_svm", "--device=/dev/hisi_hdc"),
    ]
    assert "--volume=/usr/local/Ascend/driver:/usr/local/Ascend/driver:ro" in words
    assert "--volume=/etc/hccn.conf:/etc/hccn.conf:ro" in words
    assert {"--network=host", "--ipc=host", "--stop-timeout=20"} <= set(words)


def test_the_ascend_runtime_is_told_which_devices(tmp_path: Path) -> None:
    container = Container(image="ascend/train:1", runtime=ContainerRuntime.ASCEND, shm_size=16 << 30)
    words, _ = called(tmp_path, plain(tmp_path, ranks=4), npus(0, 2, 3, 4, container=container))
    assert {"--runtime=ascend", "--env=ASCEND_VISIBLE_DEVICES=0,2-4", "--shm-size=17179869184b"} <= set(words)
    assert not [word for word in words if word.startswith("--device=") or word == "--ipc=host"]


def test_mounts_and_options_of_the_cluster_are_passed_on(tmp_path: Path) -> None:
    container = Container(
        image="ascend/train:1", mounts=("/data:/data:ro",), options=("--user=1000:1000", "--label=a b")
    )
    words, _ = called(tmp_path, plain(tmp_path), cpus(container=container))
    assert words.index("--volume=/data:/data:ro") < words.index("--user=1000:1000") < words.index("--label=a b")
    assert f"type=bind,source={tmp_path},target={tmp_path}" in words
    assert f"type=bind,source={tmp_path}/runs,target={tmp_path}/runs" in words


def test_a_folder_with_a_comma_is_one_field(tmp_path: Path) -> None:
    home = tmp_path / 'a,"b'
    home.mkdir()
    recipe, cluster = plain(home), cpus(container=IMAGE)
    for file in docker_files(planned(recipe, cluster, tmp_path), recipe, cluster):
        (home / file.name).write_text(file.text)
    words = told(tmp_path, home / "docker.sh")
    quoted = str(home).replace('"', '""')
    assert f'type=bind,"source={quoted}","target={quoted}"' in words
    assert f'type=bind,"source={quoted}","target={quoted}",readonly' in words


def test_a_process_in_a_container_numbers_its_devices_from_0(tmp_path: Path) -> None:
    launch = planned(plain(tmp_path, framework="pytorch"), npus(4, 5), tmp_path)
    assert launch.ranks[1].env["ASCEND_RT_VISIBLE_DEVICES"] == "4,5"
    inner = in_container(launch)
    assert [rank.env["DEVICE_ID"] for rank in inner.ranks] == ["0", "1"]
    assert [rank.env["ASCEND_DEVICE_ID"] for rank in inner.ranks] == ["0", "1"]
    assert "ASCEND_RT_VISIBLE_DEVICES" not in inner.ranks[0].env
    assert inner.rank_table == launch.rank_table


def test_a_cluster_without_an_image_is_refused(tmp_path: Path) -> None:
    recipe = plain(tmp_path)
    with pytest.raises(PlanError, match="does not say which image") as caught:
        render_docker(planned(recipe, cpus(), tmp_path), recipe, cpus())
    assert caught.value.expected == "container: {image: NAME:TAG}"


def test_the_folder_has_the_scripts_that_containers_run(tmp_path: Path) -> None:
    cluster = npus(4, 5, container=IMAGE)
    files = {
        file.name: file.text
        for file in docker_files(planned(plain(tmp_path), cluster, tmp_path), plain(tmp_path), cluster)
    }
    assert list(files) == ["docker.sh", "launch.sh", "hccl.json", "rank_0.sh", "rank_1.sh"]
    assert 'bash "$here/launch.sh" "$host"' in files["docker.sh"]
    assert "DEVICE_ID=1" in files["rank_1.sh"]


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    recipe, cluster = plain(tmp_path, args=TEXTS), npus(4, 5, container=IMAGE)
    launch = planned(recipe, cluster, tmp_path)
    (tmp_path / "one.sh").write_text(render_docker(launch, recipe, cluster))
    (tmp_path / "two.sh").write_text(docker_files(launch, recipe, cluster)[0].text)
    assert complaints(tmp_path / "one.sh", tmp_path / "two.sh") == ""
