"""The way from a laptop to machines with a network of their own: cables are pulled, power fails, disks are full."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machines import Machine, Machines, need_machines

ROOT = Path(__file__).parents[3]
CLIENT = """
import json, sys
from launcher.errors import NpuLaunchError
from launcher.hosts.ssh import command, dial, transport
from launcher.hosts.ssh.connections import Connections
from launcher.specs import Host, Ssh

dial.UNANSWERED, transport.KEEPALIVE = 1, 1  # for a test, a link is dead at once
asked = json.loads(sys.argv[1])
command.MOST_OUTPUT = 1024 * 1024
reach = Connections().reach(Host(name="node", address=asked["address"], devices=1), Ssh(**asked["ssh"]))
try:
    if "put" in asked:
        reach.put(bytes(asked["size"]), asked["put"], timeout=20)
        said = {}
    else:
        if asked["warm"]:
            reach.run(["true"], timeout=20)
        answer = reach.run(asked["argv"], timeout=asked["timeout"])
        said = {"code": answer.code, "stdout": answer.stdout[:99].decode(), "problem": answer.problem}
except NpuLaunchError as error:
    said = {"where": error.where, "what": error.what, "remedy": error.remedy}
print(json.dumps(said))
"""
Said = dict[str, Any]


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    need_machines()
    with Machines("gate", "node") as made:
        yield made


@pytest.fixture
def node(machines: Machines) -> Machine:
    return machines["node"]


def at_the_laptop(machines: Machines, *argv: str) -> list[str]:
    """The command that runs one of this machine's programs on the laptop's network, with the laptop's home."""
    target = machines.laptop.entering()[1]
    home = f"HOME={machines.laptop.path('/root')}"
    return ["nsenter", target, "--net", "env", "-u", "SSH_AUTH_SOCK", home, f"PYTHONPATH={ROOT}", *argv]


def client(machines: Machines, *argv: str, address: str = "", **asked: Any) -> list[str]:
    """The command that asks the laptop to run a command on a machine, or to put a file there."""
    where = address or machines["node"].address
    question = {"address": where, "ssh": {}, "argv": argv or ("true",), "timeout": 20, "warm": False, **asked}
    return at_the_laptop(machines, sys.executable, "-c", CLIENT, json.dumps(question))


def ask(machines: Machines, *argv: str, **asked: Any) -> Said:
    done = subprocess.run(client(machines, *argv, **asked), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.stderr == b""
    said: Said = json.loads(done.stdout)
    return said


def ask_and(machines: Machines, then: Callable[[], None]) -> Said:
    """What a command says that `then` happens to while it runs; it would take an hour."""
    begun = machines["node"].path("/run/begun")
    asked = client(machines, "sh", "-c", "touch /run/begun; sleep 3600", timeout=3600)
    with subprocess.Popen(asked, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        wait_for(begun.exists)
        begun.unlink()
        then()
        said: Said = json.loads(process.communicate(timeout=40)[0])
    return said


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def pids(machine: Machine) -> set[int]:
    return {process.pid for process in machine.processes()}


def test_a_command_that_takes_too_long_is_killed_with_its_children_and_nothing_else(
    machines: Machines, node: Machine
) -> None:
    """Also where the server allows no second session beside the one that runs on."""
    node.run("sh", "-c", "setsid tail -f /dev/null > /dev/null 2>&1 &")
    node.run("/usr/sbin/sshd", "-p", "2222", "-o", "MaxSessions=1", "-E", "/run/other.log")
    there = pids(node)
    said = ask(machines, "sh", "-c", "echo so far; sleep 3600 & wait", timeout=2, ssh={"port": 2222}, warm=True)
    assert said == {"code": None, "stdout": "so far\n", "problem": "sh did not end within 2 s"}
    wait_for(lambda: pids(node) == there)
    assert node.processes("tail")


def test_what_a_command_left_with_its_output_is_killed_when_the_time_is_over(machines: Machines, node: Machine) -> None:
    there = pids(node)
    assert ask(machines, "sh", "-c", "sleep 3600 &", timeout=1, warm=True)["code"] is None
    wait_for(lambda: pids(node) == there)


def test_a_flood_of_output_is_cut_and_said_and_its_source_killed(machines: Machines, node: Machine) -> None:
    there = pids(node)
    assert ask(machines, "cat", "/dev/zero")["problem"] == "cat wrote more than 1 MiB"
    wait_for(lambda: pids(node) == there)


def test_a_cable_that_is_pulled_while_a_command_runs_is_noticed(machines: Machines, node: Machine) -> None:
    said = ask_and(machines, node.cut)
    node.heal()
    assert said["where"] == "host node, run"
    assert f"the connection to root@{node.address} port 22 was lost while sh ran" in said["what"]
    assert ask(machines)["code"] == 0


def test_a_power_cut_while_a_command_runs_is_noticed_and_a_booted_machine_is_reached_again(
    machines: Machines, node: Machine
) -> None:
    said = ask_and(machines, node.power_off)
    assert said["where"] == "host node, run"
    assert "was lost while sh ran" in said["what"]
    assert ask(machines)["what"] == f"{node.address} port 22 refused the connection"
    node.boot()
    assert ask(machines)["code"] == 0


def test_a_machine_that_begins_to_hang_while_a_command_runs_is_noticed(machines: Machines, node: Machine) -> None:
    said = ask_and(machines, node.stop)
    node.resume()
    assert said["where"] == "host node, run"
    assert "was lost while sh ran: 'no sign of life for 3 s'" in said["what"]
    assert ask(machines)["code"] == 0


def test_a_command_that_says_nothing_for_long_is_waited_for(machines: Machines) -> None:
    assert ask(machines, "sleep", "6")["code"] == 0


def test_a_machine_without_a_cable_does_not_answer(machines: Machines, node: Machine) -> None:
    node.cut()
    said = ask(machines, timeout=0.5)
    node.heal()
    assert said["where"] == "host node, connect"
    assert "did not answer within" in said["what"] or "no route to" in said["what"]


def test_a_machine_that_hangs_takes_the_connection_and_says_nothing(machines: Machines, node: Machine) -> None:
    node.stop()
    said = ask(machines, timeout=0.5)
    node.resume()
    assert said["where"] == "host node, greet"
    assert "though the connection was taken" in said["what"]


def test_a_jump_host_leads_to_a_machine_behind_it(machines: Machines, node: Machine) -> None:
    said = ask(machines, "sh", "-c", "echo $SSH_CLIENT", ssh={"jump": machines["gate"].address})
    assert said["stdout"].split()[0] == machines["gate"].address


def test_a_machine_behind_a_jump_host_that_is_gone(machines: Machines, node: Machine) -> None:
    node.cut()
    said = ask(machines, timeout=1, ssh={"jump": machines["gate"].address})
    node.heal()
    assert said["where"] == "host node, jump"
    assert f"{node.address} port 22" in said["what"]


def test_ipv6(machines: Machines) -> None:
    assert ask(machines, "hostname", address=machines["gate"].address6)["stdout"] == "gate\n"


def test_a_user_that_the_machine_does_not_have(machines: Machines) -> None:
    said = ask(machines, ssh={"user": "nobody-of-that-name"})
    assert said["where"] == "host node, log in"
    assert "nobody-of-that-name@" in said["what"]


def test_a_machine_that_shows_another_machines_key_is_refused(machines: Machines, node: Machine) -> None:
    public = machines["gate"].path("/etc/ssh/machine_key.pub").read_text()
    machines.laptop.path("/root/others").write_text(f"{node.address} {public}")
    said = ask(machines, ssh={"known_hosts": "~/others"})
    assert said["where"] == "host node, host key"
    assert "HAS CHANGED" in said["what"]


def test_a_home_that_cannot_be_written_matters_only_where_a_key_is_to_be_put_on_record(machines: Machines) -> None:
    laptop = machines.laptop
    laptop.path("/root/.ssh/config").write_text("StrictHostKeyChecking accept-new\n")
    laptop.run("mount", "-o", "remount,ro", "/root")
    known, new = ask(machines), ask(machines, ssh={"known_hosts": "~/new"})
    laptop.run("mount", "-o", "remount,rw,size=1m", "/root")
    laptop.run("sh", "-c", "cat /dev/zero > /root/full")
    full = ask(machines, ssh={"known_hosts": "~/new"})
    laptop.run("rm", "/root/full", "/root/.ssh/config", "/root/new")
    assert known["code"] == 0
    for said, why in ((new, "Read-only file system"), (full, "No space left on device")):
        assert said["what"] == f"the host key cannot be put on record: {why}"
        assert said["where"].endswith("/root/new")


def test_a_file_that_a_full_disk_cuts_short_does_not_appear(machines: Machines, node: Machine) -> None:
    node.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt")
    said = ask(machines, put="/mnt/wheel", size=1024 * 1024 + 1)
    assert said["where"] == "host node, transfer"
    assert said["remedy"].startswith("there: df /mnt/wheel")
    assert list(node.path("/mnt").iterdir()) == []


def test_a_check_from_the_laptop_asks_each_host_and_says_which_did_not_answer(
    machines: Machines, node: Machine, tmp_path: Path
) -> None:
    spec = tmp_path / "two.yaml"
    spec.write_text(
        "name: two\nsoc: CPU\nhosts:\n"
        f"  - {{name: gate, address: {machines['gate'].address}, devices: 1}}\n"
        f"  - {{name: node, address: {node.address}, devices: 1, ssh: {{port: 9}}}}\n"
    )
    check = at_the_laptop(
        machines, sys.executable, "-m", "launcher.cli.main", "check", str(spec), "--preflight", "fast"
    )
    said = subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).stdout
    assert re.search(rf"gate +{machines['gate'].address} +Python 3", said)
    assert f"node: {node.address} port 9 refused the connection" in said
