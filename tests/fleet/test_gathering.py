"""What hosts have to tell of a failure comes to the run's home and to the laptop, at once or on request."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import ExitCode
from tests.fleet.site import HOME, JOB, Site
from tests.machines import Machine, Machines
from tests.site import SimulatedHost
from tests.site import Site as Npus

pytestmark = pytest.mark.timeout(300)

CLUSTER = f"{JOB}/cluster.yaml"
HOSTS = ("node-1", "node-2")
DEVICES = 2

# Rank 2, the first on node-2, fails when it is told to; each rank has written into CANN's log by then.
SCRIPT = """
import os, pathlib, time
rank = int(os.environ["RANK_ID"])
plog = pathlib.Path(os.environ["ASCEND_PROCESS_LOG_PATH"]) / "debug/plog"
plog.mkdir(parents=True)
(plog / "plog-1_1.log").write_text(f"[ERROR] HCCL of rank {rank}: E19999\\n")
if rank == 2:
    lines = [f"[INFO] line {number} of many\\n" for number in range(40_000)]
    lines[15_000] = "[ERROR] EI0002: the notify wait has timed out\\n"
    (plog / "plog-1_2.log").write_text("".join(lines))
print(f"rank {rank} is there", flush=True)
while not (rank == 2 and os.path.exists("/root/fail")):
    time.sleep(0.05)
raise SystemExit("rank 2 has lost its peers")
"""


def npus(folder: Path) -> dict[str, list[Path]]:
    """What lies over each machine's files so that it has simulated NPUs.

    What a machine sees of a folder outside that changes meanwhile is not certain: change what the machine itself has.
    """
    made = Npus(folder / "npus", hosts=len(HOSTS), devices=DEVICES)
    return {name: [lay(host, folder / name)] for name, host in zip(HOSTS, made.hosts, strict=True)}


def lay(host: SimulatedHost, folder: Path) -> Path:
    for part in ("usr", "etc"):
        shutil.copytree(host.root / part, folder / part, symlinks=True)
    programs = folder / "usr/local/bin"
    programs.mkdir(exist_ok=True)
    for name in ("npu-smi", "hccn_tool"):
        shutil.copy(host.bin / name, programs)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Machines(*HOSTS, files=npus(tmp_path_factory.mktemp("site"))) as machines:
        for name in HOSTS:
            for device in range(DEVICES):
                machines[name].path(f"/dev/davinci{device}").touch()
        site = Site(machines, HOSTS)
        up = site.npu_launch("up", CLUSTER)
        assert up.code == ExitCode.OK, up.err
        yield site


def start(site: Site) -> str:
    """A run of which every rank has written its logs."""
    fail(site).unlink(missing_ok=True)
    begun = site.npu_launch("run", site.recipe(SCRIPT, lease=12, grace=1), "-c", CLUSTER, "-d")
    assert begun.code == ExitCode.OK, begun.err
    run = begun.out.strip()
    wait(lambda: "is there" in site.log("node-2", run, 2), "rank 2 is there")
    return run


def fail(site: Site) -> Path:
    """What tells rank 2 to fail."""
    return site.machines["node-2"].path("/root/fail")


def wait(condition: Callable[[], object], what: str, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.05)


def attempt(machine: Machine, run: str) -> Path:
    return machine.path(f"{HOME}/runs/{run}/attempts/1")


def gathered(folder: Path) -> dict[str, dict[str, Any]]:
    """What `gathered.json` in a folder says of each host."""
    return {host["host"]: host for host in json.loads((folder / "gathered.json").read_text())["hosts"]}


def assert_complete(folder: Path) -> None:
    for host in HOSTS:
        said = {path.name: path.read_text() for path in (folder / "hosts" / host).glob("*.txt")}
        assert "| NPU " in said["npu-smi.txt"]
        assert "hccn_tool -i 1 -link -g\nlink status: UP" in said["hccn_tool.txt"]
        assert said["dmesg.txt"].startswith("$ dmesg")
    for rank in range(4):
        assert f"of rank {rank}: E19999" in (folder / f"ranks/{rank}/cann/debug/plog/plog-1_1.log").read_text()
        assert "is there" in (folder / f"ranks/{rank}/stdout.log").read_text()
    assert (folder / "ranks/2/cann/debug/plog/plog-1_2.log").read_text().count("\n") == 40_000
    assert not list((folder / "ranks").rglob("*.cut"))
    assert not list(folder.rglob("*.partial"))
    assert not any(host["cut"] for host in gathered(folder).values())


def test_the_evidence_of_a_failure_comes_to_its_home_and_to_the_laptop(site: Site) -> None:
    run = start(site)
    places = [attempt(machine, run) for machine in (site.head, site.machines.laptop)]

    asked = site.npu_launch("gather", run, "--limit", "128KiB")  # while it runs
    assert asked.code == ExitCode.OK, asked.err
    assert re.search(r"cut      .*/ranks/2/cann/debug/plog/plog-1_2.log: .*all of it is on node-2", asked.out)
    assert asked.out.splitlines()[-1] == f"gathered in {HOME}/runs/{run}/attempts/1"
    for place in places:
        said = (place / "ranks/2/cann/debug/plog/plog-1_2.log.cut").read_text()
        assert said.startswith("[INFO] line 0 of many\n")
        assert "[ERROR] EI0002: the notify wait has timed out\n" in said
        assert said.endswith("[INFO] line 39999 of many\n")
        assert f"node-2:{HOME}/runs/{run}/attempts/1/ranks/2/cann/debug/plog/plog-1_2.log has them" in said
        found = gathered(next((place / "asked").iterdir()))
        assert sorted(found) == [*HOSTS]
        assert found["node-2"]["bytes"] <= 128 << 10
        assert not (place / "hosts").exists()  # the failure is to have its own snapshot

    with site.beside("status", run, "-f") as following:
        fail(site).touch()
        _, told = following.communicate(timeout=90)
    assert following.returncode == ExitCode.JOB_FAILED, told
    assert f"npu-launch: what its hosts have to tell is in {HOME}/runs/{run} (" in told
    for place in places:
        assert_complete(place)
    logs = site.npu_launch("logs", run, "--rank", "2").out
    assert "rank 2 is there" in logs
    assert "rank 2 has lost its peers" in logs

    refused = site.npu_launch("gather", run, "--attempt", "7")
    assert refused.code == ExitCode.USAGE
    assert "has no attempt 7" in refused.err


def test_what_a_cut_link_kept_from_coming_is_said_and_comes_later(site: Site) -> None:
    run = start(site)
    far = site.machines["node-2"]
    tool, asked, is_cut = map(far.path, ("/usr/local/bin/npu-smi", "/root/asked", "/root/is-cut"))
    waiting = "#!/bin/sh\ntouch /root/asked\nwhile [ ! -e /root/is-cut ]; do sleep 0.05; done\n"
    tool.write_text(waiting + tool.read_text())  # so that the gathering is under way
    try:
        fail(site).touch()
        wait(asked.exists, "node-2 is being asked")
        far.cut()
    finally:
        is_cut.touch()
    home, laptop = (attempt(machine, run) for machine in (site.head, site.machines.laptop))
    wait((home / "gathered.json").exists, "the home has given node-2 up", 90)
    assert [missing["what"] for missing in gathered(home)["node-2"]["missing"]] == ["node-2"]
    assert gathered(home)["node-1"]["files"] > 0
    wait(lambda: site.state(run).ended is not None, "the run has ended")

    lost = site.npu_launch("gather", run)
    assert lost.code == ExitCode.INFRASTRUCTURE
    assert re.search("node-2: 0 files.*\n  not had  node-2: ", lost.out)
    far.heal()
    found = site.npu_launch("gather", run)
    assert found.code == ExitCode.OK, found.out + found.err
    for place in (home, laptop):
        assert_complete(place)
