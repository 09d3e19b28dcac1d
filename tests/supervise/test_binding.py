"""A rank runs on the processors near to its device, and with what its host's set_env.sh leaves."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.planning.compose import plan
from launcher.planning.model import Environment, HostEnvironment
from launcher.planning.place import Place
from launcher.specs import Cluster, Host, recipe_from_mapping
from launcher.supervise.shim.binding import bindable
from tests.supervise.test_shim import ShimProcess

SCRIPT = """\
import json, os, threading
seen = []
thread = threading.Thread(target=lambda: seen.extend(os.sched_getaffinity(0)))
thread.start()
thread.join()
print(json.dumps([sorted(os.sched_getaffinity(0)), seen, os.environ["PATH"], os.environ["OF_CANN"]]))
"""
OURS = sorted(os.sched_getaffinity(0))
ABSENT = 1022  # no machine of a test has so many


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[ShimProcess]:
    shim = ShimProcess(tmp_path)
    yield shim
    shim.tell(op="leave")
    assert shim.process is not None
    assert shim.process.wait(20) == 0


def run(shim: ShimProcess, near: dict[int, tuple[int, ...]], **more: Any) -> tuple[list[Any], list[str]]:
    """What ranks on NPUs of a fake topology say, and the notes of their shim."""
    (shim.folder / "train.py").write_text(SCRIPT)
    values = {
        "name": "job",
        "framework": "plain",
        "ranks": len(near),
        "script": "train.py",
        "relative_to": str(shim.folder),
    }
    cluster = Cluster(name="lab", soc="Ascend910B3", hosts=(Host(name="here", address="127.0.0.1", devices=8),))
    of_cann = HostEnvironment(
        hosts=("here",),
        files=("/opt/cann/set_env.sh",),
        variables=Environment({"OF_CANN": "yes"}),
        prepended=Environment({"PATH": "/opt/cann/bin"}),
        appended=Environment({}),
    )
    place = Place(
        run="job-1",
        directory=str(shim.folder),
        scheduler_port=8118,
        python=sys.executable,
        near_cpus=tuple(("here", device, cpus) for device, cpus in near.items()),
        host_environments=(of_cann,),
    )
    launch = plan(recipe_from_mapping(values | more), cluster, place)
    path = shim.folder / "attempts/1/plan.json"
    path.parent.mkdir(parents=True)
    path.write_text(launch.model_dump_json())
    shim.start(path)
    events = shim.events()
    assert {event["code"] for event in events if event["type"] == "process_exited"} == {0}
    said = [json.loads(Path(rank.log).read_text().splitlines()[-1]) for rank in launch.ranks]
    return said, [event["text"] for event in events if event["type"] == "note"]


@pytest.mark.parametrize("prewarm", ["off", "on"])
def test_a_rank_and_its_threads_have_the_processors_of_its_device(shim: ShimProcess, prewarm: str) -> None:
    near = {device: (OURS[device % len(OURS)],) for device in range(2)}
    if len(OURS) == 1:
        near = {0: (OURS[0],)}
    said, notes = run(shim, near, prewarm=prewarm)
    assert [cpus for cpus, *_ in said] == [list(near[device]) for device in near]
    assert [cpus for _, cpus, *_ in said] == [list(near[device]) for device in near]
    assert notes == []
    assert all(path.startswith("/opt/cann/bin:") and of_cann == "yes" for _, _, path, of_cann in said)


@pytest.mark.parametrize("prewarm", ["off", "on"])
def test_what_this_host_does_not_give_us_is_left_out_and_said(shim: ShimProcess, prewarm: str) -> None:
    said, notes = run(shim, {0: (ABSENT,), 1: (OURS[0], ABSENT - 1)}, prewarm=prewarm)
    assert [cpus for cpus, *_ in said] == [OURS, [OURS[0]]]
    (note,) = notes
    assert note.startswith("1 rank is not bound and 1 rank is bound to fewer processors than planned: ")


def test_an_unbound_rank_runs_anywhere(shim: ShimProcess) -> None:
    said, notes = run(shim, {0: (OURS[0],)}, binding="off")
    assert [cpus for cpus, *_ in said] == [OURS]
    assert notes == []


def test_plans_of_before_there_was_binding_bind_nobody() -> None:
    processes, note = bindable([{"rank": 0}])
    assert (processes[0]["cpus"], note) == (None, "")
