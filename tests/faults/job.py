"""A job of 8 ranks that write numbered lines, somebody who follows them, and what must hold when it has ended."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from launcher.runs.events import Event, ProcessExited, ProcessStarted, RunEnded, ShimLost
from launcher.runs.fold import fold
from launcher.runs.record import RecordReader
from launcher.runs.state import RankPhase, RunState
from launcher.runs.store import RunDirectory
from tests.end_to_end import COMMAND, is_alive, latest, pids, supervisor_pid, wait_for

RANKS = range(8)
_PROGRAM = Path(__file__).with_name("rank.py")
_END = 120.0  # seconds; a grace of a second, Ray's end and a machine with other work


@dataclass(frozen=True)
class Job:
    """A running job, the command that started it and the one that follows its lines."""

    home: Path
    run: RunDirectory
    command: subprocess.Popen[bytes]
    follower: subprocess.Popen[bytes]
    folder: Path

    def tell(self, rank: int, fault: str) -> None:
        """Have a rank do something to itself."""
        draft = self.folder / f"draft.{rank}"
        draft.write_text(fault)
        draft.rename(self.folder / f"fault.{rank}")
        wait_for(lambda: not (self.folder / f"fault.{rank}").exists(), f"rank {rank} {fault}")

    def finish(self, *ranks: int) -> None:
        """Have these ranks end well; all of them when none is named."""
        for name in [f"finish.{rank}" for rank in ranks] or ["finish"]:
            (self.folder / name).touch()

    def wrote(self, rank: int, attempt: int) -> int:
        """How many lines a rank has written, by its own count."""
        try:
            return int((self.folder / f"wrote.{rank}.{attempt}").read_text() or 0)
        except FileNotFoundError:
            return 0

    def wait_for_lines(self, *ranks: int) -> None:
        """Return when each of these ranks, or each that still runs, has written three more lines."""
        state = self.run.state()
        attempts = {rank: state.ranks[rank].attempt for rank in ranks or state.ranks_in(RankPhase.RUNNING)}
        before = {rank: self.wrote(rank, attempt) for rank, attempt in attempts.items()}
        wait_for(lambda: all(self.wrote(r, attempts[r]) >= n + 3 for r, n in before.items()), "ranks write on")

    @property
    def supervisor(self) -> int:
        """The process that decides."""
        return supervisor_pid(self.run)

    @property
    def said(self) -> str:
        """What the command told people."""
        return (self.folder / "command.err").read_text()

    def daemons(self) -> list[int]:
        """The processes that ranks have left behind."""
        return [int(word) for path in self.folder.glob("daemons.*") for word in path.read_text().split()]

    def wait_for_attempt(self, number: int) -> None:
        """Return when all ranks write in this attempt."""
        wait_for(lambda: all(self.wrote(rank, number) > 3 for rank in RANKS), f"all ranks write in attempt {number}")

    def wait_for_supervisor(self, by: str, *, other_than: int | None = None) -> None:
        """Return when such a supervisor decides, in another process than that."""

        def decides() -> bool:
            supervisor = self.run.state().supervisor
            return supervisor is not None and supervisor.by == by and supervisor.pid != other_than

        wait_for(decides, f"{by} supervises")

    def wait_until_heard(self, rank: int) -> None:
        """Have a rank end well, and return when the record tells of it: somebody supervises."""
        self.finish(rank)
        wait_for(lambda: self.run.state().ranks[rank].phase is RankPhase.SUCCEEDED, f"rank {rank}'s end is told")

    def end(self, *, journal_is_whole: bool = True) -> RunState:
        """Wait until everybody knows of the run's end, and check what must hold of any run that has ended.

        On a full disk the shim's journal may miss its end, which the record has.
        """
        self.follower.wait(_END)
        self.command.wait(_END)
        state = self.run.state()
        assert state.phase.ended, state.phase
        assert self.follower.returncode == 0, (self.folder / "followed.err").read_text()
        assert self.command.returncode in (state.phase.exit_code, -signal.SIGKILL)
        assert not any(map(is_alive, [*pids(self.run).values(), *self.daemons()]))
        self._check_record(state, journal_is_whole)
        self._check_lines(state)
        return state

    def shown(self) -> dict[int, list[str]]:
        """What the follower has shown so far, per rank."""
        return _by_rank(self.folder / "followed.out")

    # -- what must hold --------------------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        return RecordReader(self.run.layout.events).read()

    def _check_record(self, state: RunState, journal_is_whole: bool) -> None:
        """No event is lost, none is there twice, and the state is what they fold to."""
        events = self.events()
        told = [event for event in events if event.host_seq is not None]
        assert [event.host_seq for event in told] == list(range(1, len(told) + 1))
        journal = RecordReader(self.run.shim_journal(state.hosts[0])).read()
        assert journal == (told if journal_is_whole else told[: len(journal)])
        started = {(e.attempt, e.rank, e.pid) for e in events if isinstance(e, ProcessStarted)}
        exits = [(e.attempt, e.rank, e.pid) for e in events if isinstance(e, ProcessExited)]
        assert len(exits) == len(set(exits)), "an exit was told twice"
        lost = {e.attempt for e in events if isinstance(e, ShimLost)}
        assert {exit for exit in started - set(exits) if exit[0] not in lost} == set(), "an exit was not told"
        assert [type(event) for event in events].count(RunEnded) == 1
        assert fold(events) == state

    def _check_lines(self, state: RunState) -> None:
        """Every line that a rank wrote is in its log, in order, and the follower showed each once."""
        shown = self.shown()
        for rank in RANKS:
            logged: list[str] = []
            for attempt in (attempt for attempt in state.attempts if rank in attempt.ranks):
                log = self.run.rank_log(attempt.number, rank).read_text(errors="replace")
                logged += log.splitlines()
                numbered = [line for line in log.split("\n")[:-1] if line.startswith("line ")]
                assert numbered == [f"line {number}" for number in range(len(numbered))]
                # A rank may be killed between a line and the note that it was written.
                assert len(numbered) - self.wrote(rank, attempt.number) in (0, 1)
            assert shown.get(rank, []) == logged, f"rank {rank}"
            if rank == 0 and self.command.returncode != -signal.SIGKILL and state.attempts[-1].ranks[0] == 0:
                assert _by_rank(self.folder / "command.out")[0] == logged


def _by_rank(output: Path) -> dict[int, list[str]]:
    """The whole lines that a command has printed, per rank."""
    shown: dict[int, list[str]] = {}
    for line in output.read_text().split("\n")[:-1]:
        prefix, _, text = line.partition(" | ")
        shown.setdefault(int(prefix.removeprefix("rank ")), []).append(text)
    return shown


@contextmanager
def running_job(folder: Path, home: Path, *, ring: bool = False, **fields: object) -> Iterator[Job]:
    """Start the job, and somebody who follows its lines; `fields` are the recipe's.

    In a `ring` each rank waits for the next one, so that all stand still when one does.
    """
    channel = folder / "channel"
    channel.mkdir()
    recipe = folder / "recipe.yaml"
    args = [str(channel), *(["ring"] if ring else [])]
    job = {"name": "faults", "framework": "plain", "ranks": len(RANKS), "script": str(_PROGRAM), "args": args}
    recipe.write_text(json.dumps({**job, "grace": 1, "prewarm": "off", "hang": {"policy": "off"}, **fields}))
    with ExitStack() as processes:
        command = _start(processes, channel / "command", "run", recipe)
        wait_for(lambda: _all_run(command), "all ranks run")
        run = latest()
        follower = _start(processes, channel / "followed", "logs", "-f", run.id, "--rank", "0-7")
        running = Job(home, run, command, follower, channel)
        wait_for(lambda: len(running.shown()) == len(RANKS), "lines of all ranks are shown")
        yield running


def _all_run(command: subprocess.Popen[bytes]) -> bool:
    assert command.poll() is None, "the command ended at once"
    try:
        return len(latest().state().ranks_in(RankPhase.RUNNING)) == len(RANKS)
    except Exception:
        return False


def _start(processes: ExitStack, output: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start the command with its output in files, which hold nobody up."""
    with output.with_suffix(".out").open("wb") as out, output.with_suffix(".err").open("wb") as err:
        process = subprocess.Popen(
            [COMMAND, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    processes.callback(process.wait)
    processes.callback(process.kill)
    return process
