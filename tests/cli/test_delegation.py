"""A run that lives on another host is looked at, followed and stopped from a laptop as if it were there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.machines import Machine, Machines, need_machines

ROOT = Path(__file__).parents[2]
NPU_LAUNCH = (sys.executable, "-m", "launcher.cli.main")
IMPATIENT = """
import sys
from launcher.hosts.ssh import dial, transport
dial.UNANSWERED, transport.KEEPALIVE = 1, 1  # for a test, a link is dead at once
from launcher.cli.main import entry
entry()
"""
POINT = """
import sys
from launcher.runs.pointer import At, point
run, created, cluster, python = sys.argv[1:]
point(run, "job", float(created), "name: job\\n", cluster, At(host="node-1", python=python, home="/root/.npu-launch"))
"""
CLUSTER = "name: one\nsoc: CPU\nhosts: [{{name: node-1, address: {address}, devices: 2, ssh: {{port: {port}}}}}]\n"


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    need_machines()
    with Machines("node-1") as made:
        yield made


@dataclass
class Laptop:
    """Where the commands are typed; its runs live on the node."""

    machines: Machines

    @property
    def node(self) -> Machine:
        return self.machines["node-1"]

    def command(self, *argv: str) -> list[str]:
        """A program of this machine on the laptop's network, with the laptop's home."""
        home = self.machines.laptop.path("/root")
        target = self.machines.laptop.entering()[1]
        variables = (f"HOME={home}", f"NPU_LAUNCH_HOME={home}/.npu-launch", f"PYTHONPATH={ROOT}")
        return ["nsenter", target, "--net", "env", "-u", "SSH_AUTH_SOCK", *variables, *argv]

    def npu_launch(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        done = self.start(*arguments)
        out, err = done.communicate(timeout=60)
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(sys.executable, "-c", IMPATIENT, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def terminal(self, *arguments: str) -> Terminal:
        return Terminal(*arguments, command=self.command(*NPU_LAUNCH), rows=30)

    def run_there(self, script: str, *, port: int = 22) -> str:
        """Start a run of two ranks at the node, which the laptop knows of; its id."""
        program = self.node.path("/root/job.sh")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        recipe = "name: job\nframework: plain\ncluster: auto\nranks: 2\nscript: job.sh\ngrace: 2\n"
        self.node.path("/root/job.yaml").write_text(recipe)
        run = self.node.run(*NPU_LAUNCH, "run", "-d", "/root/job.yaml").stdout.strip()
        cluster = CLUSTER.format(address=self.node.address, port=port)
        point = self.command(sys.executable, "-c", POINT, run, str(time.time()), cluster, sys.executable)
        subprocess.run(point, check=True)
        return run

    def phase(self, run: str) -> str:
        """What the node itself says of the run."""
        said = self.node.run(*NPU_LAUNCH, "status", run, "--json").stdout
        return str(json.loads(said)["phase"])

    def becomes(self, run: str, phase: str) -> None:
        wait_for(lambda: self.phase(run) == phase)


@pytest.fixture
def laptop(machines: Machines) -> Laptop:
    return Laptop(machines)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines_of(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Read what a command says until it says this."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"ended without {text!r}")


def test_what_the_host_says_and_its_exit_code_are_those_of_the_command(laptop: Laptop) -> None:
    run = laptop.run_there("echo 'eins, zwei, drü'; exit 3")
    laptop.becomes(run, "failed")
    for arguments in (("logs",), ("logs", run[:-1], "-n", "1", "--rank", "1"), ("logs", "--attempt", "7"), ("stop",)):
        here = laptop.npu_launch(*arguments)
        there = laptop.node.run(*NPU_LAUNCH, *arguments)
        assert here.stdout.decode() == there.stdout, arguments
        assert here.stderr.decode() == there.stderr, arguments
        assert here.returncode == there.returncode, arguments
    assert json.loads(laptop.npu_launch("status", "--json").stdout)["phase"] == "failed"
    assert laptop.npu_launch("status", "--follow").returncode == 1
    laptop.node.run(*NPU_LAUNCH, "bundle", run, "-o", "/root/there.tar.gz")
    assert laptop.npu_launch("bundle", run, "-o", "-").stdout == laptop.node.path("/root/there.tar.gz").read_bytes()


def test_a_signal_to_a_command_that_follows_a_new_run_stops_the_run(laptop: Laptop) -> None:
    run = laptop.run_there("echo begun; exec sleep 600")
    with laptop.start("follow", run) as following:
        lines_of(following, b"begun")
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 130
    assert laptop.phase(run) == "stopped"


def test_a_reader_who_has_seen_enough_ends_the_command_there(laptop: Laptop) -> None:
    run = laptop.run_there("while :; do echo line; sleep 0.05; done")
    with laptop.start("logs", "-f", run) as following:
        lines_of(following, b"line")
        assert following.stdout is not None
        following.stdout.close()
        assert following.wait(30) == 0
    wait_for(lambda: not any("from_afar" in " ".join(argv) for _, argv in laptop.node.commands()))
    assert laptop.npu_launch("stop", run).returncode == 0


def test_a_connection_that_breaks_leaves_the_run_alone(laptop: Laptop) -> None:
    run = laptop.run_there("echo begun; exec sleep 600")
    with laptop.start("follow", run) as following:
        lines_of(following, b"begun")
        laptop.node.cut()
        try:
            assert following.wait(30) == 4
        finally:
            laptop.node.heal()
        assert following.stderr is not None
        said = following.stderr.read().decode()
    assert "host node-1" in said
    assert f"npu-launch logs {run} -f goes on with it" in said
    assert laptop.phase(run) == "running"
    assert laptop.npu_launch("stop", run).returncode == 0


def test_logs_that_are_followed_go_on_when_a_broken_connection_is_whole_again(laptop: Laptop) -> None:
    run = laptop.run_there("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done")
    with laptop.start("logs", "-f", "--rank", "0", run) as following:
        assert following.stdout is not None and following.stderr is not None
        lines_of(following, b"line 5")
        laptop.node.cut()
        try:
            assert b"trying again" in following.stderr.readline()
        finally:
            laptop.node.heal()
        number = 5
        while number < 500:
            number += 1
            assert following.stdout.readline() == b"rank 0 | line %d\n" % number
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 130
    assert laptop.npu_launch("stop", run).returncode == 0


def test_at_a_terminal_an_interrupt_asks_and_the_terminal_is_left_as_it_was(laptop: Laptop) -> None:
    run = laptop.run_there("echo begun; exec sleep 600")
    terminal = laptop.terminal("follow", run)
    try:
        before = terminal.settings
        terminal.expect("begun")
        terminal.interrupt()
        terminal.expect("top it")
        terminal.type("d\r")
        terminal.expect("detached")
        assert terminal.wait() == 0
        assert terminal.settings == before
    finally:
        terminal.close()
    assert laptop.phase(run) == "running"
    assert laptop.npu_launch("stop", run).returncode == 0


def test_sigterm_stops_the_run_at_a_terminal_too(laptop: Laptop) -> None:
    run = laptop.run_there("echo begun; exec sleep 600")
    terminal = laptop.terminal("follow", run)
    try:
        terminal.expect("begun")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.expect("STOPPED")
        terminal.wait()
    finally:
        terminal.close()
    assert laptop.phase(run) == "stopped"


def test_a_terminal_that_is_closed_leaves_the_run_alone(laptop: Laptop) -> None:
    run = laptop.run_there("echo begun; exec sleep 600")
    terminal = laptop.terminal("follow", run)
    try:
        terminal.expect("begun")
        assert terminal.hang_up() == 130
    finally:
        terminal.close()
    assert laptop.phase(run) == "running"
    assert laptop.npu_launch("stop", run).returncode == 0


def test_a_server_that_allows_one_session_is_enough(laptop: Laptop) -> None:
    laptop.node.run("/usr/sbin/sshd", "-p", "2222", "-o", "MaxSessions=1", "-E", "/run/other.log")
    run = laptop.run_there("echo begun; exec sleep 600", port=2222)
    with laptop.start("follow", run) as following:
        lines_of(following, b"begun")
        following.send_signal(signal.SIGTERM)
        assert following.wait(30) == 130
    assert laptop.phase(run) == "stopped"


def test_ps_shows_runs_of_other_hosts_also_when_those_do_not_answer(laptop: Laptop) -> None:
    run = laptop.run_there("exit 0")
    laptop.becomes(run, "succeeded")
    [known] = [each for each in json.loads(laptop.npu_launch("ps", "--json").stdout) if each["run"] == run]
    assert (known["phase"], known["home"], known["world_size"]) == ("succeeded", "node-1", 2)
    laptop.node.cut()
    try:
        shown = laptop.npu_launch("ps")
        assert shown.returncode == 0
        [line] = [line for line in shown.stdout.decode().splitlines() if line.startswith(run)]
        assert line.split()[1] == "unreachable"
        assert "node-1" in line
    finally:
        laptop.node.heal()
