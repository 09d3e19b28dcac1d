"""What is done about another host: a link that answers as a test wants it to, and nothing behind it."""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from launcher.errors import InfrastructureError
from launcher.runs.events import (
    AttemptStarted,
    Decided,
    Event,
    HostBack,
    HostFenced,
    HostReady,
    HostUnreachable,
    Note,
    ProcessStarted,
    RunCreated,
    ShimLost,
)
from launcher.runs.fold import fold
from launcher.runs.store import RunDirectory
from launcher.supervise.attendant import Attendant
from launcher.supervise.belongings import Belongings
from launcher.supervise.link import LinkLost, Message
from launcher.supervise.parcels import Parcels

Result = TypeVar("Result")
PATIENCE = 30.0
CLOCK = object()
PLAN = {
    "run": "pair-1a2b",
    "attempt": 1,
    "resume_from": None,
    "ranks": [{"rank": 1, "host": "h1", "argv": ["true"]}],
    "services": [],
}


class Answering:
    """The link to `h1`: functions return what `answers` has for their names (or raise it), and all calls are kept."""

    is_home = False

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.arguments: dict[str, tuple[object, ...]] = {}
        self.answers: dict[str, object] = {"is_kept": True, "time": CLOCK, "end_shim": (), "missing_parts": ()}
        self.sent: list[Message] = []
        self.losses = 0  # words to the shim that get lost
        self.lines: list[bytes] = []
        self.behind = 0.0  # seconds

    async def there(self, work: Callable[..., Result], *arguments: object) -> Result:
        self.calls.append(work.__name__)
        self.arguments[work.__name__] = arguments
        answer: Any = self.answers.get(work.__name__)
        if isinstance(answer, Exception):
            raise answer
        return time.time() - self.behind if answer is CLOCK else answer  # type: ignore[return-value]

    async def events(self, after: int) -> list[bytes]:
        while not self.lines:
            await asyncio.sleep(0.01)
        return [self.lines.pop()]

    async def send(self, message: Message) -> None:
        if self.losses:
            self.losses -= 1
            raise LinkLost("it is cut off")
        self.calls.append(str(message["op"]))
        self.sent.append(message)

    async def renew(self) -> float:
        self.calls.append("renew")
        return time.time() - self.behind

    def reset(self) -> None:
        self.calls.append("reset")


class Attended:
    """The host h1 of a run whose first attempt is on h0 and h1."""

    def __init__(self, folder: Path) -> None:
        self.run = RunDirectory(folder / "runs" / "pair-1a2b")
        self.run.layout.attempt(1).directory.mkdir(parents=True)
        self.run.layout.attempt(1).plan.write_text(json.dumps(PLAN))
        self.told: list[Event] = []
        now = time.time()
        hosts = ("h0", "h1")
        created = RunCreated(
            time=now, run=self.run.id, name="pair", framework="plain", target="CPU", world_size=2, hosts=hosts
        )
        self.state = fold([created, AttemptStarted(time=now, attempt=1, ranks=(0, 1), hosts=hosts)])
        self.link = Answering()

    def tell(self, *events: Event) -> None:
        self.state = fold(events, self.state)
        self.told += events

    def attendant(self) -> Attendant:
        return Attendant(
            self.run,
            "h1",
            self.link,
            lambda: self.state,
            self.tell,
            may_renew=lambda: True,
            is_spread=True,
            parcels=Parcels(self.run),
            belongings=Belongings(),
        )

    def attend_until(self, condition: Callable[[], bool], begin: Callable[[Attendant], None] = lambda _: None) -> None:
        """Attend to the host until this is so."""

        async def attend() -> None:
            attendant = self.attendant()
            begin(attendant)
            attending = asyncio.create_task(attendant.attend())
            deadline = time.monotonic() + PATIENCE
            try:
                while not condition():
                    assert not attending.done(), attending.exception()
                    assert time.monotonic() < deadline, self.link.calls
                    await asyncio.sleep(0.01)
            finally:
                attending.cancel()

        asyncio.run(attend())

    def launch(self, attendant: Attendant) -> None:
        assert self.state.attempt is not None
        attendant.take_up(self.state.attempt)

    def told_of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.told if isinstance(event, kind)]


@pytest.fixture
def host(tmp_path: Path) -> Attended:
    return Attended(tmp_path)


def test_a_host_that_is_lost_is_fenced_without_being_asked(host: Attended) -> None:
    async def fence() -> None:
        assert host.state.attempt is not None
        await host.attendant().fence(host.state.attempt)

    asyncio.run(fence())
    assert [type(event) for event in host.told] == [HostFenced]
    assert not host.link.calls


def test_a_fenced_host_that_answers_again_is_back_when_nothing_is_left_there(host: Attended) -> None:
    now = time.time()
    host.tell(HostUnreachable(time=now, host="h1", heard=now), HostFenced(time=now, host="h1", attempt=1))
    host.attend_until(lambda: bool(host.told_of(HostBack)))
    assert "end_shim" in host.link.calls
    assert "renew" not in host.link.calls


def test_a_host_whose_leftovers_cannot_be_ended_is_not_back(host: Attended) -> None:
    now = time.time()
    host.tell(HostUnreachable(time=now, host="h1", heard=now), HostFenced(time=now, host="h1", attempt=1))
    host.link.answers["end_shim"] = OSError(errno.EIO, "Input/output error")
    host.attend_until(lambda: host.link.calls.count("end_shim") > 1)
    assert not host.told_of(HostBack)
    host.link.answers["end_shim"] = ()
    host.attend_until(lambda: bool(host.told_of(HostBack)))


def test_what_a_host_tells_is_written_by_the_clock_of_the_home(host: Attended) -> None:
    host.link.behind = 300.0
    told = HostReady(time=time.time() - 300, host="h1", host_seq=1, attempt=1)
    host.link.lines.append(told.model_dump_json(exclude_none=True).encode())
    host.attend_until(lambda: bool(host.told_of(HostReady)))
    (ready,) = host.told_of(HostReady)
    assert abs(ready.time - time.time()) < PATIENCE
    (note,) = host.told_of(Note)
    assert isinstance(note, Note) and "300 s behind" in note.text


def test_what_ranks_read_is_there_before_a_shim_is(host: Attended) -> None:
    plan = {**PLAN, "resume_from": str(host.run.path / "step-8")}
    host.run.layout.attempt(1).plan.write_text(json.dumps(plan))
    host.attend_until(lambda: bool(host.link.sent), host.launch)
    calls = [call for call in host.link.calls if call in ("deliver", "missing_parts", "see_to_shim", "launch")]
    assert calls == ["deliver", "missing_parts", "see_to_shim", "launch"]


def test_a_host_that_is_ready_has_begun(host: Attended) -> None:
    host.attend_until(lambda: "see_to_shim" in host.link.calls, host.launch)
    *_, has_begun, _ = host.link.arguments["see_to_shim"]
    assert has_begun is False
    host.link.calls.clear()
    host.tell(HostReady(time=time.time(), host="h1", host_seq=1, attempt=1))
    host.attend_until(lambda: "see_to_shim" in host.link.calls, host.launch)
    *_, has_begun, _ = host.link.arguments["see_to_shim"]
    assert has_begun is True


def test_words_that_get_lost_are_said_again_in_their_order(host: Attended, caplog: pytest.LogCaptureFixture) -> None:
    host.link.losses = 3

    def begin(attendant: Attendant) -> None:
        host.launch(attendant)
        attendant.send({"op": "go", "attempt": 1})

    host.attend_until(lambda: len(host.link.sent) == 2, begin)
    assert [message["op"] for message in host.link.sent] == ["launch", "go"]
    assert host.link.calls.count("see_to_shim") == 1
    assert caplog.text.count("cannot be told") == 1


def test_word_of_an_attempt_whose_shim_is_gone_does_not_hold_up_the_next(host: Attended) -> None:
    host.link.losses = 1_000_000  # there is no shim

    def begin(attendant: Attendant) -> None:
        attendant.send({"op": "stop", "attempt": 1, "reason": "rank 0 failed"})
        host.run.layout.attempt(2).directory.mkdir(parents=True)
        host.run.layout.attempt(2).plan.write_text(json.dumps({**PLAN, "attempt": 2}))
        host.tell(AttemptStarted(time=time.time(), attempt=2, ranks=(0, 1), hosts=("h0", "h1")))
        host.launch(attendant)

    host.attend_until(lambda: "see_to_shim" in host.link.calls, begin)


def test_a_stop_is_heard_although_the_launch_before_it_came_to_nothing(host: Attended) -> None:
    """The shim of the attempt before lives, and a look at what the launch needs hangs."""
    host.link.answers["see_to_shim"] = LinkLost("it hangs")
    host.tell(Decided(time=time.time(), decision="stop", reason="host h1 did not get ready"))

    def begin(attendant: Attendant) -> None:
        host.launch(attendant)
        attendant.send({"op": "stop", "attempt": 1, "reason": "it did not get ready"})

    host.attend_until(lambda: bool(host.link.sent), begin)
    assert [message["op"] for message in host.link.sent] == ["stop"]


def test_where_no_shim_ever_was_a_stop_has_nothing_to_wait_for(host: Attended) -> None:
    host.link.answers |= {"is_kept": False, "may_be_kept": False, "see_to_shim": LinkLost("it hangs")}
    host.link.losses = 1_000_000
    host.tell(Decided(time=time.time(), decision="stop", reason="host h1 did not get ready"))

    def begin(attendant: Attendant) -> None:
        host.launch(attendant)
        attendant.send({"op": "stop", "attempt": 1, "reason": "it did not get ready"})

    host.attend_until(lambda: bool(host.told_of(ShimLost)), begin)


def test_ranks_of_an_attempt_before_count_as_begun_beside_which_the_next_starts(host: Attended) -> None:
    now = time.time()
    host.tell(ProcessStarted(time=now, host="h1", host_seq=1, attempt=1, name="rank 1", rank=1, pid=1))
    host.run.layout.attempt(2).directory.mkdir(parents=True)
    host.run.layout.attempt(2).plan.write_text(json.dumps({**PLAN, "attempt": 2}))
    host.tell(AttemptStarted(time=now, attempt=2, ranks=(0,), hosts=("h1",), gang=False))
    host.attend_until(lambda: "see_to_shim" in host.link.calls, host.launch)
    *_, has_begun, _ = host.link.arguments["see_to_shim"]
    assert has_begun is True


def test_a_shim_that_cannot_be_started_is_lost_for_that_reason(host: Attended) -> None:
    host.link.answers["see_to_shim"] = InfrastructureError("no room", where="there")
    host.attend_until(lambda: bool(host.told_of(ShimLost)), host.launch)
    assert any(isinstance(note, Note) and "h1" in note.text and "no room" in note.text for note in host.told)
    assert not host.link.sent


def test_a_host_that_cannot_read_its_own_files_does_not_end_the_supervision(host: Attended) -> None:
    broken = OSError(errno.EIO, "Input/output error")
    host.link.answers |= {"is_kept": broken, "last_words": broken, "time": broken}
    host.link.losses = 2

    def has_been_looked_at() -> bool:
        return {"is_kept", "last_words", "time"} <= set(host.link.calls) and bool(host.link.sent)

    host.attend_until(has_been_looked_at, host.launch)
    assert not host.told_of(ShimLost)
