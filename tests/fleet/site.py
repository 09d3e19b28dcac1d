"""A laptop, some hosts, and what a person does with them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psutil

from launcher.runs.fold import fold
from launcher.runs.record import RecordReader
from launcher.runs.state import RankPhase, RunState
from tests.end_to_end import Outcome, beside
from tests.machines import Machine, Machines

COMMAND = (sys.executable, "-m", "launcher.cli.main")
HOME = "/root/.npu-launch"
JOB = "/root/job"


class Site:
    """Machines with a cluster file and a job on the laptop."""

    def __init__(self, machines: Machines, hosts: Sequence[str], slots: int = 2, **cluster: Any) -> None:
        self.machines = machines
        self.hosts = tuple(hosts)
        entries = [{"name": name, "address": machines[name].address, "devices": slots} for name in hosts]
        spec = {"name": "site", "soc": "CPU", "python": sys.executable, "hosts": entries, **cluster}
        self.write("cluster.yaml", json.dumps(spec))

    @property
    def head(self) -> Machine:
        """The home of runs."""
        return self.machines[self.hosts[0]]

    def write(self, name: str, text: str, mode: int = 0o644) -> str:
        """A file of the job on the laptop."""
        path = self.machines.laptop.path(f"{JOB}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return f"{JOB}/{name}"

    def part(self, *hosts: str) -> str:
        """A cluster file of some of the hosts."""
        spec = json.loads(self.machines.laptop.path(f"{JOB}/cluster.yaml").read_text())
        spec["hosts"] = [entry for entry in spec["hosts"] if entry["name"] in hosts]
        spec["spares"] = [host for host in spec.get("spares", ()) if host in hosts]
        return self.write("-".join(hosts) + ".yaml", json.dumps(spec))

    def recipe(self, script: str, *, ranks: int = 4, **fields: Any) -> str:
        """A plain recipe beside the Python script that its ranks run."""
        self.write("job.py", script.lstrip("\n"))
        spec = {"name": "job", "framework": "plain", "ranks": ranks, "script": "job.py", **fields}
        return self.write("recipe.yaml", json.dumps(spec))

    def npu_launch(
        self, *arguments: str, at: Machine | None = None, timeout: float = 120, **environment: str
    ) -> Outcome:
        """Run the command to its end: on the laptop, unless another machine is named."""
        where = at or self.machines.laptop
        done = where.run(*COMMAND, *arguments, environment=environment, timeout=timeout)
        assert "Traceback (most recent call last)" not in done.stderr, done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)

    def beside(self, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """Run the command on the laptop beside the test."""
        return beside(*self.machines.laptop.entering(*COMMAND, *arguments))

    def state(self, run: str, at: Machine | None = None) -> RunState:
        """What the record of a run says, at its home."""
        return fold(RecordReader((at or self.head).path(f"{HOME}/runs/{run}/events.jsonl")).read())

    def wait(self, run: str, condition: Callable[[RunState], bool], what: str, timeout: float = 60) -> RunState:
        """The state of a run once something is so."""
        deadline = time.monotonic() + timeout
        while not condition(state := self.state(run)):
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}; {self.tail(run)}"
            time.sleep(0.1)
        return state

    def wait_until_running(self, run: str, ranks: int = 4, timeout: float = 60) -> RunState:
        return self.wait(run, lambda s: len(s.ranks_in(RankPhase.RUNNING)) == ranks, f"{ranks} ranks run", timeout)

    def tail(self, run: str, at: Machine | None = None) -> str:
        """The last events and words of who supervises, for a test that fails."""
        folder = (at or self.head).path(f"{HOME}/runs/{run}")
        texts = []
        for name in ("events.jsonl", "supervisor.log"):
            path = folder / name
            lines = path.read_text(errors="replace").splitlines()[-40:] if path.exists() else ["(none)"]
            texts.append(f"{name}:\n" + "\n".join(line[:300] for line in lines))
        return "\n".join(texts)

    def log(self, host: str, run: str, rank: int, attempt: int = 1) -> str:
        """A rank's log on a host, or nothing when there is none."""
        path = self.machines[host].path(f"{HOME}/runs/{run}/attempts/{attempt}/ranks/{rank}/stdout.log")
        return path.read_text() if path.exists() else ""

    def left_on(self, machine: Machine) -> list[str]:
        """The command lines of what still runs there, sshd's sessions left out."""
        return [line for _, line in commands(machine) if line and "sshd" not in line]


def document(outcome: Outcome) -> Mapping[str, Any]:
    """What a command printed as JSON."""
    found: Mapping[str, Any] = json.loads(outcome.out)
    return found


def commands(machine: Machine) -> list[tuple[psutil.Process, str]]:
    """What runs on a machine, with its command line."""
    return [(process, " ".join(argv)) for process, argv in machine.commands()]


def ranks_on(machine: Machine) -> list[psutil.Process]:
    """The processes of ranks on a machine."""
    return [process for process, line in commands(machine) if "job.py" in line]
