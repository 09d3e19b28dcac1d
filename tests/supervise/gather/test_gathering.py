"""The evidence of all hosts comes to the run's home, however often it is interrupted, and what did not come is said."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.gather import gathering
from launcher.supervise.gather.gathering import gather, gathered_file
from launcher.supervise.gather.outcome import Gathered, Limits
from launcher.supervise.link import HostLink, ShimLink
from tests.supervise.gather.far_host import FarHost

CUT = Limits(host_bytes=20_000)


class Hosts:
    """A run with rank 0 at home and one rank on each far host."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self.run = RunDirectory(folder / "home/runs/job-0001")
        self.folders = {name: folder / name for name in names}
        layout = self.run.layout.attempt(1)
        ranks = []
        for rank, host in enumerate(("home", *names)):
            files = layout.rank(rank)
            ranks.append({"rank": rank, "host": host, "log": str(files.log), "cann_log_dir": str(files.cann)})
        self.run.path.mkdir(parents=True)
        layout.directory.mkdir(parents=True)
        services = [{"name": "scheduler", "host": names[0], "log": str(layout.service("scheduler").log)}]
        layout.plan.write_text(json.dumps({"ranks": ranks, "services": services}))
        self.environment = {"NPU_LAUNCH_ROOT": str(folder / "root"), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        for name in ("root", "bin"):
            (folder / name).mkdir()
        (folder / "bin/dmesg").write_text("#!/bin/sh\necho it runs\n")  # each machine's own says something else
        (folder / "bin/dmesg").chmod(0o755)
        self.links: dict[str, FarHost] = {}
        for name, path in self.folders.items():
            path.mkdir()
            self.links[name] = FarHost(self.run.path, path, self.environment)
        on_host.home_mark(self.run)

    def write(self, host: str, path: str, content: bytes) -> None:
        """A file in the run's folder on a host."""
        target = self.folders[host] / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def read(self, path: str) -> bytes:
        """A file in the run's folder at home."""
        return (self.run.path / path).read_bytes()

    def gather(self, limits: Limits | None = None) -> Gathered:
        links = cast(dict[str, HostLink], self.links)
        told: list[str] = []
        found = asyncio.run(gather(self.run, 1, links, limits or Limits(), told.append))
        assert len(told) == len(found.hosts)
        assert found == Gathered.model_validate_json(gathered_file(self.run, 1).read_text())
        return found


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    if os.geteuid() != 0:
        pytest.skip("a host of its own needs root, to mount")
    hosts = Hosts(tmp_path, ("node-1", "node-2"))
    yield hosts
    for link in hosts.links.values():
        link.close()


def test_logs_and_snapshots_come_and_working_folders_stay(hosts: Hosts) -> None:
    content = os.urandom(50_000)
    hosts.write("node-1", "attempts/1/ranks/1/stdout.log", b"log of rank 1")
    hosts.write("node-1", "attempts/1/ranks/1/cann/debug/plog/plog-1_2.log", content)
    hosts.write("node-1", "attempts/1/ranks/1/work/big.ckpt", b"no evidence")
    hosts.write("node-1", "attempts/1/services/scheduler/stdout.log", b"log of the scheduler")
    hosts.write("node-2", "attempts/1/ranks/2/stdout.log", b"")
    found = hosts.gather()
    assert hosts.read("attempts/1/ranks/1/stdout.log") == b"log of rank 1"
    assert hosts.read("attempts/1/ranks/1/cann/debug/plog/plog-1_2.log") == content
    assert hosts.read("attempts/1/services/scheduler/stdout.log") == b"log of the scheduler"
    assert hosts.read("attempts/1/ranks/2/stdout.log") == b""
    assert hosts.read("attempts/1/hosts/node-1/dmesg.txt") == b"$ dmesg --ctime\nit runs\n\n"
    assert not (hosts.run.path / "attempts/1/ranks/1/work").exists()
    assert [(host.host, host.files, host.cut) for host in found.hosts] == [("node-1", 4, ()), ("node-2", 2, ())]


def test_what_is_here_already_is_not_brought_again(hosts: Hosts) -> None:
    hosts.write("node-1", "attempts/1/ranks/1/stdout.log", b"0123456789")
    (hosts.run.path / "attempts/1/ranks/1").mkdir(parents=True)
    (hosts.run.path / "attempts/1/ranks/1/stdout.log").write_bytes(b"copied")  # by the mirror, as far as it came
    hosts.gather()
    assert hosts.read("attempts/1/ranks/1/stdout.log") == b"copied6789"
    hosts.links["node-1"].calls.clear()
    hosts.gather()
    assert "read_pieces" not in hosts.links["node-1"].calls


def test_the_cap_holds_and_what_was_cut_is_said(hosts: Hosts) -> None:
    lines = b"".join(b"step %06d\n" % number for number in range(10_000))
    middle = len(lines) // 2
    hosts.write("node-1", "attempts/1/ranks/1/stdout.log", lines[:middle] + b"[ERROR] the first\n" + lines[middle:])
    hosts.write("node-1", "attempts/1/ranks/1/cann/short.log", b"short")
    found = hosts.gather(CUT).hosts[0]
    said = hosts.read("attempts/1/ranks/1/stdout.log.cut")
    assert said.startswith(b"step 000000\n")
    assert said.endswith(b"step 009999\n")
    assert b"[ERROR] the first\n" in said
    assert f"node-1:{hosts.run.path}/attempts/1/ranks/1/stdout.log has them".encode() in said
    assert not (hosts.run.path / "attempts/1/ranks/1/stdout.log").exists()
    assert hosts.read("attempts/1/ranks/1/cann/short.log") == b"short"
    assert found.bytes <= 20_000
    assert [(each.size, each.kept) for each in found.cut] == [(120_018, len(said))]


@pytest.mark.parametrize("limits", [Limits(), CUT], ids=["whole", "cut"])
@pytest.mark.parametrize("calls", [3, 5, 7])
def test_one_that_was_interrupted_goes_on_where_it_was(
    hosts: Hosts, limits: Limits, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece, content = min(100_000, limits.host_bytes) // 5, os.urandom(50_000)
    monkeypatch.setattr(gathering, "_AT_ONCE", piece)
    for name in ("stdout.log", "cann/plog"):
        hosts.write("node-1", f"attempts/1/ranks/1/{name}", content)
    link = hosts.links["node-1"]
    link.calls_until_lost = calls
    assert "the cable is out" in str(hosts.gather(limits).hosts[0])
    link.calls_until_lost = 1 << 30
    assert hosts.gather(limits).hosts[0].missing == ()
    assert link.calls.count("read_pieces") <= 6  # no piece came twice
    for name in ("stdout.log", "cann/plog"):
        if limits is CUT:
            said = hosts.read(f"attempts/1/ranks/1/{name}.cut")
            assert (said[:500], said[-2000:]) == (content[:500], content[-2000:])
        else:
            assert hosts.read(f"attempts/1/ranks/1/{name}") == content
    assert list(hosts.run.path.rglob("*.partial")) == []


def test_it_comes_at_the_rate_that_was_set(hosts: Hosts) -> None:
    hosts.write("node-1", "attempts/1/ranks/1/stdout.log", os.urandom(30_000))
    began = time.monotonic()
    hosts.gather(Limits(rate=60_000))
    assert time.monotonic() - began >= 0.5


def test_a_host_that_is_lost_costs_the_others_nothing(hosts: Hosts) -> None:
    hosts.links["node-1"].calls_until_lost = 0
    hosts.write("node-2", "attempts/1/ranks/2/stdout.log", b"log")
    lost, found = hosts.gather().hosts
    assert [(each.what, each.why) for each in lost.missing] == [("node-1", "the cable is out")]
    assert str(lost) == "0 files, 0.0 MiB of node-1, 1 not to be had (node-1: the cable is out)"
    assert hosts.read("attempts/1/ranks/2/stdout.log") == b"log"
    assert found.files == 2


def test_what_came_before_of_a_host_that_is_lost_now_is_not_forgotten(hosts: Hosts) -> None:
    hosts.write("node-1", "attempts/1/ranks/1/stdout.log", b"log")
    assert hosts.gather().hosts[0].files == 2
    hosts.links["node-1"].calls_until_lost = 0
    again = hosts.gather().hosts[0]
    assert (again.files, again.is_lost) == (2, True)


def test_a_host_that_is_not_waited_for_is_told(hosts: Hosts) -> None:
    async def leave_off() -> Gathered:
        leaving = asyncio.Event()
        leaving.set()
        links = cast(dict[str, HostLink], hosts.links)
        return await gather(hosts.run, 1, links, Limits(), lambda text: None, leave_off=leaving)

    found = asyncio.run(leave_off())
    assert [host.missing[0].why for host in found.hosts] == ["it took too long, and was not waited for"] * 2
    assert Gathered.model_validate_json(gathered_file(hosts.run, 1).read_text()) == found


def test_what_is_asked_for_while_ranks_run_does_not_stand_for_the_failure(hosts: Hosts) -> None:
    links = cast(dict[str, HostLink], hosts.links)
    asyncio.run(gather(hosts.run, 1, links, Limits(), lambda text: None, "now"))
    assert hosts.read("attempts/1/asked/now/hosts/node-1/dmesg.txt")
    assert gathered_file(hosts.run, 1, "now").exists()
    assert not gathered_file(hosts.run, 1).exists()
    assert not (hosts.run.path / "attempts/1/hosts").exists()


def test_a_folder_that_hosts_share_is_left_as_it_is(hosts: Hosts) -> None:
    hosts.write("node-1", "home.mark", hosts.read("home.mark"))
    hosts.write("node-1", "attempts/1/ranks/1/stdout.log", b"log")
    hosts.gather()
    assert "read_pieces" not in hosts.links["node-1"].calls


def test_at_home_a_snapshot_is_taken_and_nothing_travels(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in hosts.environment.items():
        monkeypatch.setenv(name, value)
    (hosts.run.path / "attempts/1/ranks/0").mkdir(parents=True)
    (hosts.run.path / "attempts/1/ranks/0/stdout.log").write_bytes(b"log of rank 0")
    links: Any = {"home": ShimLink(hosts.run.shim_socket("home"))}
    found = asyncio.run(gather(hosts.run, 1, links, Limits(), lambda text: None))
    assert found.hosts[0].files == 2
    assert hosts.read("attempts/1/hosts/home/dmesg.txt")
