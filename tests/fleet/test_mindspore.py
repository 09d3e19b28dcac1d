"""The main recipe with a real MindSpore on two hosts: it trains as on one, and comes back from a killed rank."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import ExitCode
from tests.fleet.site import JOB, Site, document
from tests.machines import Machine, Machines

pytest.importorskip("mindspore", reason="needs the extra npu-launch[mindspore]")
pytestmark = [pytest.mark.mindspore, pytest.mark.timeout(900)]

RECIPES = Path(__file__).parents[2] / "recipes"
RANKS = 4
SMALL = [
    *("--set", f"ranks={RANKS}"),
    *("--set", "args.train_images=128"),  # 8 steps of 4 images on each rank
    *("--set", "args.image_size=32"),
    *("--set", "args.eval_images=8"),
    *("--set", "args.epochs=1"),
    *("--set", "args.warmup_steps=1"),
    *("--set", "args.checkpoint_every=4"),
]
CLUSTER = f"{JOB}/cluster.yaml"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Machines("node-1", "node-2") as machines:
        site = Site(machines, ["node-1", "node-2"])
        shutil.copytree(RECIPES, machines.laptop.path(JOB), dirs_exist_ok=True)
        yield site


def trained(site: Site) -> Mapping[str, Any]:
    """What is known of a run that has trained to its end, on the laptop itself."""
    done = site.npu_launch("run", f"{JOB}/resnext_8p.yaml", *SMALL, timeout=400)
    assert done.code == ExitCode.OK, done.err + done.out
    return document(site.npu_launch("status", "--json"))


def weights(status: Mapping[str, Any]) -> str:
    """The digest that all ranks logged."""
    assert status["weights"]["identical"], status["weights"]
    (group,) = status["weights"]["groups"]
    assert group["ranks"] == list(range(RANKS))
    return str(group["sha256"])


def kill(machine: Machine, pid: int | None) -> None:
    assert machine.run("kill", "-9", str(pid)).returncode == 0


def test_two_hosts_train_to_the_weights_of_one_after_a_fault_on_the_second_too(site: Site) -> None:
    on_one = weights(trained(site))
    up = site.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.OK, up.err
    begun = site.npu_launch("run", f"{JOB}/resnext_8p.yaml", *SMALL, "-c", CLUSTER, "-d")
    assert begun.code == ExitCode.OK, begun.err
    run = begun.out.strip()
    site.wait_until_running(run, RANKS)
    site.wait(run, lambda _: "checkpoint saved" in site.log("node-1", run, 0), "there is a checkpoint", timeout=300)
    kill(site.machines["node-2"], site.state(run).ranks[RANKS - 1].pid)
    site.wait(run, lambda state: state.phase.ended, "the run has ended", timeout=300)
    after_a_fault = document(site.npu_launch("status", run, "--json"))
    assert {rank["host"] for rank in after_a_fault["ranks"]} == {"node-1", "node-2"}
    assert [attempt["first_failure"] for attempt in after_a_fault["attempts"]] == [RANKS - 1, None], site.tail(run)
    assert after_a_fault["attempts"][1]["resume_from"].endswith("00000004.ckpt")
    assert weights(after_a_fault) == on_one
