"""A watch tells what it sees once, whoever watches."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from launcher.runs.events import (
    AttemptStarted,
    Event,
    HangFound,
    HostIdle,
    HostUnreachable,
    ProcessExited,
    ProcessStarted,
    Progressed,
    RunCreated,
    Trouble,
    TroubleFound,
)
from launcher.runs.fold import fold
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory
from launcher.specs import Framework, Hang, Recipe
from launcher.supervise.link import HostLink, ShimLink
from launcher.supervise.watch import Watch
from launcher.supervise.watch.clocks import Moment
from launcher.supervise.watch.processor import Use
from launcher.supervise.watch.standstill import Pulse, Signs, feel
from tests.supervise.mirror.far_host import FarHost

RANKS = 2
RECIPE = Recipe(name="r", framework=Framework.PLAIN, ranks=RANKS, script="r.py", hang=Hang(seconds=1))
SIZE = "training: epochs: 1, steps per epoch: 1000, batch per rank: 1, ranks: 2\n"


class Run:
    """A run whose ranks are real processes that sleep, and whose record is in memory."""

    def __init__(self, path: Path) -> None:
        self.directory = RunDirectory(path)
        self.processes = [
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) for _ in range(RANKS)
        ]
        self.links: dict[str, HostLink] = {"a": ShimLink(path / "none.sock")}
        self.told: list[Event] = []
        now = time.time()
        self.state: RunState = fold(
            [
                RunCreated(
                    time=now, run="r", name="r", framework="plain", target="CPU", world_size=RANKS, hosts=("a",)
                ),
                AttemptStarted(time=now, attempt=1, ranks=tuple(range(RANKS))),
                *(
                    ProcessStarted(time=now, host="a", attempt=1, name=f"rank {r}", rank=r, pid=p.pid)
                    for r, p in enumerate(self.processes)
                ),
            ]
        )
        for rank in range(RANKS):
            self.log(rank).parent.mkdir(parents=True)

    def log(self, rank: int) -> Path:
        return self.directory.rank_log(1, rank)

    def write(self, *steps: int) -> None:
        """Each rank writes up to one of these steps."""
        for rank, last in enumerate(steps):
            lines = "".join(f"epoch: 1 step: {step}, loss is 0.5\n" for step in range(1, last + 1))
            self.log(rank).write_text(SIZE + lines)

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self.state = fold([event], self.state)

    def watch(self, clock: Callable[[], Moment] = Moment.now, hang: Hang = RECIPE.hang) -> Watch:
        """Another supervisor's watch."""
        recipe = RECIPE.model_copy(update={"hang": hang})
        return Watch(self.directory, lambda: self.state, lambda: recipe, self.links.get, self.tell, clock)

    def watched(self, seconds: float, until: type[Event] | None = None) -> None:
        """Let another supervisor watch for so long, or until it has told of such an event."""

        async def watching() -> None:
            task = asyncio.create_task(self.watch().watch())
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and not (until and isinstance(self.told and self.told[-1], until)):
                await asyncio.sleep(0.05)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        asyncio.run(watching())


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def test_a_standstill_is_told_once_whoever_watches(run: Run) -> None:
    run.write(5, 5)
    run.watched(30, until=HangFound)
    (hang,) = [event for event in run.told if isinstance(event, HangFound)]
    assert hang.fatal
    assert hang.stacks == "ranks 0-1 in <module> (<string>:1)"
    run.watched(3)
    assert [type(event) for event in run.told] == [Progressed, HangFound]


def test_a_report_is_not_made_again_by_the_next_to_watch(run: Run) -> None:
    run.watched(30, until=HangFound)
    run.watched(4)
    (hang,) = run.told
    assert isinstance(hang, HangFound)
    assert not hang.fatal
    assert hang.path == "attempts/1/stacks.txt"


def test_the_last_steps_of_an_attempt_are_told_before_anything_is_decided_and_once(run: Run) -> None:
    watch = run.watch()
    run.write(7, 6)
    assert watch.catch_up() == []
    failed = ProcessExited(time=time.time(), host="a", attempt=1, name="rank 0", rank=0, pid=1, code=3)
    run.state = fold([failed], run.state)
    (progress,) = watch.catch_up()
    assert isinstance(progress, Progressed)
    assert progress.step == 6
    run.tell(progress)
    assert watch.catch_up() == []
    run.write(7, 9)
    run.state = fold([HostIdle(time=time.time(), host="a", attempt=1)], run.state)
    (progress,) = watch.catch_up()
    assert isinstance(progress, Progressed)
    assert progress.step == 7
    run.tell(progress)
    assert run.watch().catch_up() == []


def test_a_loss_that_is_no_number_is_told_once_for_all_ranks_whoever_watches(run: Run) -> None:
    run.write(3, 3)
    for rank in range(RANKS):
        with run.log(rank).open("a") as file:
            file.write("epoch: 1 step: 4, loss is nan\n")

    async def looked(*watches: Watch) -> None:
        for watch in watches:
            await watch.look()
            await watch.look()

    asyncio.run(looked(run.watch(), run.watch()))
    (trouble,) = [event for event in run.told if isinstance(event, TroubleFound)]
    assert (trouble.rank, trouble.kind, trouble.step) == (0, Trouble.LOSS_NOT_FINITE, 4)
    assert run.log(0).read_bytes()[trouble.offset :] == trouble.line.encode() + b"\n"
    assert run.state.troubles == (trouble,)


def test_the_last_lines_of_an_attempt_tell_of_trouble_too(run: Run) -> None:
    watch = run.watch()
    run.write(3, 3)
    with run.log(1).open("a") as file:
        file.write("epoch: 1 step: 4, loss is inf\n")
    run.state = fold([HostIdle(time=time.time(), host="a", attempt=1)], run.state)
    assert [type(event) for event in watch.catch_up()] == [TroubleFound, Progressed]


LAST_STACK = """Fatal Python error: Aborted

Current thread 0x00007f30 (most recent call first):
  File "train.py", line 41 in all_reduce
"""


@pytest.mark.parametrize(
    ("seen_from_outside", "wrote", "odd"),
    [
        ((0,), (0, 1), ()),  # it was elsewhere for a moment
        ((1,), (0,), (1,)),  # it could not even write
        ((), (0, 1), ()),
    ],
)
def test_a_rank_that_tells_where_it_is_is_believed(
    run: Run, seen_from_outside: tuple[int, ...], wrote: tuple[int, ...], odd: tuple[int, ...]
) -> None:
    run.write(3, 3)
    for rank in wrote:
        with run.log(rank).open("a") as log:
            log.write(LAST_STACK)
    now = time.time()
    run.tell(
        HangFound(time=now, attempt=1, since=now - 2, limit=2, fatal=True, odd=seen_from_outside, stacks="elsewhere")
    )
    for rank in range(RANKS):
        run.tell(ProcessExited(time=now, host="a", attempt=1, name=f"rank {rank}", rank=rank, pid=1, code=-6))
    run.tell(HostIdle(time=now, host="a", attempt=1))
    (hang,) = (event for event in run.watch().catch_up() if isinstance(event, HangFound))
    assert hang.odd == odd
    assert "in all_reduce (train.py:41)" in hang.stacks


def test_a_run_without_logs_or_steps_has_nothing_to_catch_up_with(run: Run) -> None:
    run.state = fold([HostIdle(time=time.time(), host="a", attempt=1)], run.state)
    assert run.watch().catch_up() == []


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.moment = Moment(time.time(), 100.0)

    def __call__(self) -> Moment:
        return self.moment

    def pass_by(self, wall: float, steady: float) -> None:
        self.moment = Moment(self.moment.wall + wall, self.moment.steady + steady)


@pytest.mark.parametrize(
    ("wall", "steady"),
    [(7200, 1), (7200, 7200), (-7200, 1), (-30, 1)],
    ids=["suspended", "paused", "set back", "set back a little"],
)
def test_a_time_in_which_nobody_looked_is_no_standstill_and_hides_none(run: Run, wall: float, steady: float) -> None:
    clock = Clock()
    watch = run.watch(clock, Hang(seconds=60))

    def look(seconds: int) -> None:
        for _ in range(seconds):
            clock.pass_by(1, 1)
            asyncio.run(watch.look())

    for steps in range(1, 9):
        for rank in range(RANKS):
            run.write(steps, steps)
            os.utime(run.log(rank), (clock.moment.wall + 1,) * 2)
        look(1)
    look(20)
    clock.pass_by(wall, steady)
    back = clock.moment.wall
    look(58)
    assert not any(isinstance(event, HangFound) for event in run.told)
    look(40)
    (hang,) = [event for event in run.told if isinstance(event, HangFound)]
    assert hang.fatal
    assert 0 <= hang.since - back <= 2


@pytest.fixture
def far(run: Run) -> FarHost:
    """Where rank 1 runs."""
    link = run.links["b"] = FarHost(run.directory.path, run.directory.path)
    now = time.time()
    run.state = fold(
        [
            RunCreated(
                time=now, run="r", name="r", framework="plain", target="CPU", world_size=RANKS, hosts=("a", "b")
            ),
            AttemptStarted(time=now, attempt=1, ranks=tuple(range(RANKS)), hosts=("a", "b")),
            *(
                ProcessStarted(time=now, host=host, attempt=1, name=f"rank {rank}", rank=rank, pid=process.pid)
                for rank, (host, process) in enumerate(zip("ab", run.processes, strict=True))
            ),
        ]
    )
    return link


def test_ranks_of_other_hosts_are_asked_there(run: Run, far: FarHost) -> None:
    run.write(5, 5)
    run.watched(30, until=HangFound)
    (hang,) = [event for event in run.told if isinstance(event, HangFound)]
    assert hang.stacks == "ranks 0-1 in <module> (<string>:1)"
    assert set(far.calls) == {"use_of", "stacks_of"}


def test_a_rank_whose_host_does_not_answer_has_no_stack_and_that_is_said(run: Run, far: FarHost) -> None:
    far.lost = True
    run.write(5, 5)
    run.watched(30, until=HangFound)
    (hang,) = [event for event in run.told if isinstance(event, HangFound)]
    assert hang.stacks == "rank 0 in <module> (<string>:1); rank 1 on a host that cannot be reached"
    assert hang.path is not None
    assert "no stack: its host cannot be reached" in (run.directory.path / hang.path).read_text()


def test_nobody_judges_ranks_while_their_host_is_out_of_reach(run: Run, far: FarHost) -> None:
    far.lost = True
    run.write(5, 5)
    clock = Clock()
    watch = run.watch(clock, Hang(seconds=2))
    run.state = fold([HostUnreachable(time=time.time(), host="b", heard=time.time() - 8)], run.state)
    for _ in range(20):
        clock.pass_by(1, 1)
        asyncio.run(watch.look())
    assert not any(isinstance(event, HangFound) for event in run.told)
    assert not far.calls
    assert not far.refused


def test_a_host_that_does_not_answer_at_first_is_not_at_work_for_what_it_did_before() -> None:
    """Its ranks have used much processor time since they began, and none since they were looked at."""
    pulse = feel(Pulse.start(0, 0), Signs(use=Use(at=10, seconds={0: 5.0})))
    pulse = feel(pulse, Signs(use=Use(at=20, seconds={0: 5.0, 1: 3600.0})))
    assert pulse.idle_from == 10
