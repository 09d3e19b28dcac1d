"""The drawing fits its screen, whatever the run and the screen."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from launcher.cli.live import LiveScreen, drawing
from launcher.cli.view import RunView, look
from launcher.runs.events import Decided, Note
from tests.cli.conftest import Author


def drawn(view: RunView, width: int = 80, height: int = 24, spoken: str = "") -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(drawing(view, height, spoken))
    return capture.get().splitlines()


def running(author: Author, ranks: int = 4, name: str = "job") -> RunView:
    run = author.run(name, ranks=ranks, age=60)
    run.starts()
    for rank in range(ranks):
        run.trains(rank, 10 + rank % 7)
    lock = run.directory.lock()
    assert lock.try_acquire()
    view = look(run.directory, time.time())
    lock.release()
    return view


def test_a_screen_has_the_run_its_ranks_and_its_progress(author: Author) -> None:
    lines = drawn(running(author), spoken="rank 0 | hello")
    assert "RUNNING for 1m00s at step 10 of 40" in lines[0]
    assert lines[1].split() == ["rank", "state", "where", "step", "loss", "step", "time"]
    assert lines[2].split() == ["0", "running", "node-a/0", "10/40", "0.2000"]
    assert lines[6].rstrip().endswith("25%")
    assert lines[7] == "rank 0 | hello"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 8), (20, 3), (10, 2), (200, 100)])
@pytest.mark.parametrize("ranks", [1, 8, 512])
def test_a_drawing_is_never_larger_than_its_screen(author: Author, ranks: int, width: int, height: int) -> None:
    lines = drawn(running(author, ranks), width, height, spoken="x" * 500)
    assert len(lines) < max(height, 2)
    assert all(len(line) <= width for line in lines)


def test_with_more_ranks_than_lines_the_slowest_and_the_broken_are_shown(author: Author) -> None:
    view = look(author.failed(ranks=64, first=50).directory, time.time())
    lines = drawn(view, height=10)
    assert any(line.split()[:3] == ["50", "failed", "(1)"] for line in lines)
    assert any("and 60 ranks more" in line for line in lines)
    slow = drawn(running(author, ranks=64), height=10)
    assert [line.split()[0] for line in slow[2:6]] == ["0", "7", "14", "21"]


def test_names_are_no_markup(author: Author) -> None:
    view = running(author, name="[red]x")
    view = RunView(view.path.with_name("[red]x"), view.state, view.now, view.progress, {0: "[blink]host/0"})
    text = "\n".join(drawn(view, spoken="rank 0 | [bold]y"))
    assert "run [red]x" in text
    assert "[blink]host/0" in text
    assert "[bold]y" in text


def test_what_explains_a_restart_stays_above_the_drawing(author: Author) -> None:
    stream = io.StringIO()
    screen = LiveScreen(Console(file=stream, force_terminal=True, width=80, height=24))
    view = running(author)
    screen.draw(view)
    screen.happened(
        [Note(time=0, text="disk [bold]full\x1b[2J"), Decided(time=0, decision="restart_group", reason="r")], view
    )
    screen.wrote(0, [b"last words\x1b[2J", b""])
    screen.close()
    assert "npu-launch: warning: disk [bold]full\n" in stream.getvalue()
    assert "npu-launch: restart group: r\n" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1
