"""What end-to-end tests share: the installed command, recipes written on the fly, and a look at runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.runs.state import RankPhase, RunState
from launcher.runs.store import RunDirectory, find_run

COMMAND = str(Path(sys.executable).with_name("npu-launch"))


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, data, talk."""

    code: int
    out: str
    err: str


def npu_launch(*arguments: str | Path, timeout: float = 90) -> Outcome:
    """Run the command to its end, away from any terminal."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )
    assert "Traceback (most recent call last)" not in done.stderr, done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)


def status() -> dict[str, Any]:
    """What `status --json` says of the latest run."""
    document: dict[str, Any] = json.loads(npu_launch("status", "--json").out)
    return document


def weights(document: dict[str, Any]) -> str:
    """The digest that both ranks of a run logged."""
    assert document["weights"]["identical"], document["weights"]
    (group,) = document["weights"]["groups"]
    assert group["ranks"] == [0, 1]
    digest: str = group["sha256"]
    return digest


def npu_launch_beside(*arguments: str | Path) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run the command beside the test, which may signal it."""
    return beside(COMMAND, *arguments)


@contextmanager
def beside(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command beside the test, and kill it if it has not ended by then."""
    process = subprocess.Popen(
        [*map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def write_recipe(folder: Path, script: str, *, name: str = "test", ranks: int = 4, **fields: object) -> Path:
    """A plain recipe beside the bash script that its ranks run."""
    program = folder / f"{name.replace('/', '-')}.sh"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    recipe = folder / "recipe.yaml"
    spec = {"name": name, "framework": "plain", "cluster": "auto", "ranks": ranks, "script": program.name, **fields}
    recipe.write_text(json.dumps(spec))  # JSON is YAML
    return recipe


def write_python_recipe(folder: Path, script: str, *, ranks: int = 4, **fields: object) -> Path:
    """A plain recipe beside `test.py`, which its ranks run in Python."""
    (folder / "test.py").write_text(script.lstrip("\n"))
    recipe = folder / "recipe.yaml"
    spec = {"name": "test", "framework": "plain", "cluster": "auto", "ranks": ranks, "script": "test.py", **fields}
    recipe.write_text(json.dumps(spec))
    return recipe


def latest() -> RunDirectory:
    return find_run(None)


def wait_for(condition: Callable[[], bool], what: str, timeout: float = 120) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.05)


def wait_until_running(ranks: int = 4) -> RunDirectory:
    """The latest run, once all its ranks run."""

    def runs() -> bool:
        try:
            return len(latest().state().ranks_in(RankPhase.RUNNING)) == ranks
        except Exception:
            return False

    wait_for(runs, "all ranks run")
    return latest()


def wait_until_ended(run: RunDirectory) -> RunState:
    wait_for(lambda: run.state().phase.ended, "the run has ended")
    return run.state()


def pids(run: RunDirectory) -> dict[int, int]:
    """Rank to process id."""
    return {rank.rank: rank.pid for rank in run.state().ranks.values() if rank.pid is not None}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def supervisor_pid(run: RunDirectory) -> int:
    supervisor = run.state().supervisor
    return supervisor.pid if supervisor is not None else 0
