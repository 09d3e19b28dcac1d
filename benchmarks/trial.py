"""One job under one launcher, watched from outside, and removed without a trace."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from payload import FAULTY_RANK
from peers import RANKS, Job, Peer
from processes import MARK, Deaths, command_line, is_alive, marked, sweep

_UP_SECONDS = 90.0
_SETTLE_SECONDS = 60.0
_VANISH_SECONDS = 15.0
_CALM_SECONDS = 5.0
_numbers = count(1)

# What a shell on this machine may have set, and a user's has not: bytecode is cached, output to files is buffered.
_DROPPED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "RANK", "RANK_ID", "MS_ROLE")


class TrialError(Exception):
    """A launcher did not do what it was told; what it said is in the text."""


def new_base() -> Path:
    """A new private folder for a session; Ray's sockets below it leave it 16 bytes or so."""
    while True:
        folder = Path(tempfile.gettempdir()) / f"b{secrets.token_hex(2)}"
        try:
            folder.mkdir(mode=0o700)
            return folder
        except FileExistsError:
            continue


class Session:
    """The folder and the mark that all trials of one benchmark share."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.mark = f"{base.name}/bench"

    def environment(self, mark: str) -> dict[str, str]:
        """A plain shell's environment, with a mark in it."""
        return {name: value for name, value in os.environ.items() if name not in _DROPPED} | {MARK: mark}

    def end(self) -> None:
        """Leave no process and no file."""
        sweep(self.mark)
        shutil.rmtree(self.base, ignore_errors=True)


class Trial:
    """A job from its launch to its removal; use it as a context."""

    def __init__(
        self, session: Session, peer: Peer, mode: str, argument: str = "", *, restarts: int = 0, log_mode: str = ""
    ) -> None:
        number = next(_numbers)
        self.peer = peer
        self.session = session
        self.mark = f"{session.mark}/{number}/"
        directory = session.base / f"t{number}"
        directory.mkdir()
        self.job = Job(mode, directory, session.base, argument, restarts, log_mode)
        self.console = directory / "console"
        command = peer.command(self.job)
        environment = {**session.environment(self.mark), **peer.environment(self.job)}
        with self.console.open("wb") as console:
            self.launched = time.time()
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=directory,
                start_new_session=True,
            )

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        sweep(self.mark)
        for ranks in self.first_lines().values():  # of a warm launcher whose own processes bear another mark
            for pid in ranks:
                if is_alive(pid) and str(self.job.directory) in command_line(pid):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(20)
        self.peer.clean(self.job)
        shutil.rmtree(self.job.directory, ignore_errors=True)

    # -- what the ranks wrote down ---------------------------------------------------------------------------------

    def first_lines(self) -> dict[int, dict[int, float]]:
        """For every rank its processes, and when each ran its first line; oldest first."""
        found: dict[int, dict[int, float]] = {}
        for (rank, pid), moment in sorted(self.notes("up").items(), key=lambda item: item[1]):
            found.setdefault(rank, {})[pid] = moment
        return found

    def notes(self, kind: str) -> dict[tuple[int, int], float]:
        """The moments of one kind that ranks noted, by rank and pid."""
        found = {}
        for path in self.job.directory.glob(f"{kind}.*"):
            if path.suffix != ".partial":
                _, rank, pid = path.name.split(".")
                found[int(rank), int(pid)] = float(path.read_text())
        return found

    def wait_up(self) -> dict[int, int]:
        """Until every rank runs; the pid of each. Raises TrialError when that does not come about."""
        deadline = time.monotonic() + _UP_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if len(self.notes("up")) >= RANKS:
                return {rank: next(iter(pids)) for rank, pids in self.first_lines().items()}
            time.sleep(0.01)
        raise TrialError(f"the ranks did not come up: {self.said()}")

    def wait_settled(self) -> None:
        """Until the launcher has come to rest, and a moment longer."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not self.peer.has_settled(self.job):
            if time.monotonic() > deadline:
                raise TrialError(f"the launcher did not settle in {_SETTLE_SECONDS:.0f} s: {self.said()}")
            time.sleep(0.1)
        time.sleep(_CALM_SECONDS)

    def cause_fault(self) -> None:
        """Let the faulty rank go ahead."""
        (self.job.directory / "go").touch()

    def fault_moment(self) -> float:
        """When the faulty rank was about to end."""
        path = self.job.directory / "fault"
        deadline = time.monotonic() + 30
        while not path.exists():
            if time.monotonic() > deadline:
                raise TrialError(f"rank {FAULTY_RANK} did not notice `go`: {self.said()}")
            time.sleep(0.001)
        return float(path.read_text())

    # -- the launcher ----------------------------------------------------------------------------------------------

    def wait_end(self, seconds: float) -> float:
        """When the launcher ended. Raises TrialError when it does not in time."""
        with Deaths([self.process.pid]) as deaths:
            deaths.wait(seconds)
        if self.process.pid not in deaths.at:
            raise TrialError(f"the launcher was still there after {seconds:.0f} s: {self.said()}")
        self.process.wait()
        return deaths.at[self.process.pid]

    def seconds_until_gone(self, since: float) -> float:
        """From `since` until nothing of the trial is alive. Raises TrialError when something stays."""
        deadline = time.monotonic() + _VANISH_SECONDS
        while left := marked(self.mark):
            if time.monotonic() > deadline:
                lines = "; ".join(command_line(pid)[:160] for pid in left)
                raise TrialError(f"{len(left)} processes left after {_VANISH_SECONDS:.0f} s: {lines}")
            time.sleep(0.02)
        return time.time() - since

    def launcher_processes(self) -> set[int]:
        """Everything of the launcher that runs now, and no rank."""
        marks = (self.mark, f"{self.session.mark}/{self.peer.name}/")
        noted = self.notes("up") | self.notes("scheduler")
        return {pid for mark in marks for pid in marked(mark)} - {pid for _, pid in noted}

    def said(self) -> str:
        """The end of what the launcher wrote on its console."""
        return self.console.read_text(errors="replace").strip()[-1500:] or "it said nothing"


def open_peer(session: Session, peer: Peer) -> None:
    """Start what a launcher needs beforehand, marked as its own."""
    environment: Mapping[str, str] = session.environment(f"{session.mark}/{peer.name}/")
    peer.open(session.base, environment)
