"""The Ray of a cluster, on machines with a network of their own: it comes up everywhere, comes back, and goes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from launcher.runs.clusters import Member, Membership
from launcher.runs.home import runtime_path
from tests.machines import Machines, need_machines
from tests.machines.machine import Machine

ID = "0123abcd"
HOME = "/root/.npu-launch"
NAMES = ("node-1", "node-2", "node-3")
PORT = 19700
REPOSITORY = str(Path(__file__).parents[3])
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    need_machines()
    with Machines(*NAMES) as made:
        for name in NAMES:
            enroll(made, name)
        yield made


def folder(name: str) -> str:
    """What a host has of the cluster."""
    return f"{HOME}/machines/{name}/clusters/{ID}"


def enroll(machines: Machines, name: str, head: str = "node-1") -> None:
    """Write what `up` writes on a host."""
    members = tuple(Member(name=server.name, ip=server.address) for server in machines.servers)
    membership = Membership(
        cluster="three", id=ID, head=head, me=name, members=members, port=PORT, stay=True, python=sys.executable
    )
    script = 'umask 077; mkdir -p "$1"; printf %s "$2" > "$1/membership.json"; printf %064d 7 > "$1/token"'
    machines[name].run("sh", "-c", script, "-", folder(name), membership.model_dump_json())


def ask(machine: Machine, module: str, *arguments: str) -> dict[str, object]:
    """What one of the programs that `up` and `down` call over ssh answers."""
    argv = (sys.executable, "-m", f"launcher.supervise.on_ray.{module}", ID, *arguments)
    done = machine.run(*argv, environment={"PYTHONPATH": REPOSITORY}, timeout=120)
    answer = json.loads(done.stdout)
    assert ("error" in answer) == bool(done.returncode), done
    return dict(answer)


def wait_for(condition: Callable[[], bool], what: str, timeout: float = 90) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout} s: {what}"
        time.sleep(0.1)


def test_all_hosts_join_the_head_and_come_back_to_it_when_it_was_killed(machines: Machines) -> None:
    for machine in machines.servers:
        assert ask(machine, "start") == {"running": True}
    addresses = sorted(machine.address for machine in machines.servers)
    assert ask(machines["node-1"], "joined", "90")["nodes"] == addresses
    assert ask(machines["node-2"], "joined", "90")["joined"]
    assert ask(machines["node-2"], "start") == {"running": True}  # and nothing changes
    before = {process.pid for machine in machines.servers for process in machine.processes("raylet")}
    assert len(before) == 3

    (gcs,) = machines["node-1"].processes("gcs_server")
    gcs.kill()
    wait_for(lambda: not any(map(psutil.pid_exists, before)), "the nodes of the old head have ended")
    assert ask(machines["node-1"], "joined", "90")["nodes"] == addresses


def test_all_listen_on_fixed_ports_alone(machines: Machines) -> None:
    for machine in machines.servers:
        said = machine.run("ss", "-Htln").stdout.split("\n")
        ports = {int(line.split()[3].rpartition(":")[2]) for line in said if line} - {22}
        assert ports
        assert ports <= set(range(PORT, PORT + 64)), machine.name


def test_a_host_that_leaves_keeps_nothing_but_logs_and_the_others_go_on(machines: Machines) -> None:
    node = machines["node-3"]
    assert ask(node, "end") == {"ended": True}
    assert node.processes() == []
    assert not node.path(str(runtime_path(Path(HOME)))).exists()
    assert sorted(path.name for path in node.path(folder("node-3")).iterdir()) == ["node.lock", "node.log"]
    assert ask(node, "end") == {"ended": True}
    assert ask(machines["node-2"], "joined", "10")["joined"]


def test_the_head_says_which_host_is_missing(machines: Machines) -> None:
    node = machines["node-3"]
    assert f"not in the Ray of three: node-3 ({node.address})" in str(ask(machines["node-1"], "joined", "6")["error"])


def test_a_port_that_somebody_has_is_told_with_who_has_it(machines: Machines) -> None:
    node = machines["node-3"]
    enroll(machines, "node-3")
    node.run("sh", "-c", f"cd / && setsid --fork {sys.executable} -m http.server {PORT + 2} > /dev/null 2>&1")
    wait_for(lambda: str(PORT + 2) in node.run("ss", "-Htln").stdout, "the port is taken")
    ask(node, "start")
    said = str(ask(node, "joined", "60")["error"])
    assert f"port {PORT + 2}, which Ray needs, is taken by process " in said
    assert "http.server" in said
    ask(node, "end")


def test_a_head_that_a_run_holds_is_not_ended_but_goes_with_the_run(machines: Machines) -> None:
    head = machines["node-1"]
    script = f"""
import asyncio, sys
from launcher.supervise.on_ray.hold import hold
async def main():
    with await hold("{ID}") as lease:
        print(lease.address, flush=True)
        sys.stdin.read()
asyncio.run(main())
"""
    argv = head.entering(sys.executable, "-c", script, environment={"PYTHONPATH": REPOSITORY})
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == f"{head.address}:{PORT}\n"
        assert "a run is using Ray" in str(ask(head, "end")["error"])
        assert head.processes("gcs_server")
        holder.communicate()
    wait_for(lambda: not head.processes(), "all of Ray has ended")


def test_an_end_after_the_end_is_one_too(machines: Machines) -> None:
    assert ask(machines["node-1"], "end") == {"ended": True}
    node = machines["node-2"]  # which waits for the head to come back
    assert ask(node, "end") == {"ended": True}
    assert node.processes() == []
