"""A run that shows nothing but a progress bar is followed while the bar moves, though its line never ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from launcher.cli.following import Following
from launcher.cli.view import RunView
from launcher.logs.tail import Tail
from launcher.runs.events import Event
from tests.cli.conftest import Author


class Eye:
    """A screen that keeps what it was last given."""

    def __init__(self) -> None:
        self.seen: list[int | None] = []

    def happened(self, events: Sequence[Event], view: RunView) -> None: ...

    def wrote(self, rank: int, lines: Sequence[bytes]) -> None: ...

    def draw(self, view: RunView) -> None:
        self.seen.append(view.overall.steps_done)

    def close(self) -> None: ...


def bar(step: int) -> bytes:
    return b"\rtrain:  %d%%|##| %d/100 [00:10<00:10,  1.00it/s, loss=0.5]" % (step, step)


def test_the_last_state_of_a_line_without_end_is_that_before_the_last_return(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = Tail(log)
    for text, state in ((b"text", b""), (b"\r 1%", b"text"), (b"\r 2%", b" 1%"), (b"\n\r 3%", b"")):
        with log.open("ab") as file:
            file.write(text)
        tail.read()
        assert tail.last_state == state
    tail.close()


def test_a_bar_is_followed_state_by_state_and_counted_once(author: Author) -> None:
    run = author.run(ranks=1)
    run.starts()
    log = run.writes(0)
    lock = run.directory.lock()
    assert lock.try_acquire()
    eye = Eye()
    following = Following(run.directory, eye, since=None)
    following.step()
    for text in (bar(1) + bar(2), bar(50) + bar(51), bar(99) + bar(100) + b"\n", bar(0) + bar(30) + bar(31)):
        with log.open("ab") as file:
            file.write(text)
        following.wait()
        following.step()
    following.close()
    lock.release()
    assert eye.seen[1:] == [1, 50, 100, 130]
