"""Somebody sits at a terminal, or nobody does, while a run goes on."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.state import RunPhase
from tests.cli.terminal import Terminal
from tests.end_to_end import (
    latest,
    npu_launch,
    npu_launch_beside,
    wait_for,
    wait_until_ended,
    wait_until_running,
    write_recipe,
)

pytestmark = pytest.mark.usefixtures("home")

Open = Callable[..., Terminal]
TRAIN = """
echo "training: epochs: 1, steps per epoch: {steps}, batch per rank: 1, ranks: 4"
for step in $(seq {steps}); do sleep {pace}; echo "epoch: 1 step: $step, loss is $step.5"; done
echo "weights sha256: $(printf 'ab%.0s' $(seq 32)) step: {steps}"
"""


def training(folder: Path, steps: int = 600, pace: float = 0.1, **fields: object) -> str:
    return str(write_recipe(folder, TRAIN.format(steps=steps, pace=pace), **fields))


@pytest.fixture
def terminal() -> Iterator[Open]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str, **options: object) -> Terminal:
        opened.append(Terminal(*arguments, **options))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()
    for run in [latest()] if opened else []:
        if not run.state().phase.ended:
            npu_launch("stop", run.id)


def test_a_terminal_shows_ranks_and_progress_and_then_the_summary(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path, steps=60, pace=0.05))
    screen.expect("NO NPU WAS FOUND")
    screen.expect(r"RUNNING for \d")
    screen.expect(r"3  running .* \d+/60")
    screen.expect(r"\d+%")
    screen.expect(r"SUCCEEDED after .*\n  steps   60 of 60, loss 1.5000 -> 60.5000")
    assert screen.wait() == ExitCode.OK
    assert screen.raw.count(b"\x1b[?25l") == screen.raw.count(b"\x1b[?25h")
    assert "weights identical on 4 ranks: abababababab..." in screen.text


def test_ctrl_c_asks_and_detaching_lets_the_run_go_on(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path))
    screen.expect("3  running")
    screen.interrupt()
    screen.expect(r"\[s\]top it, \[d\]etach, or \[G\]o on\?")
    screen.type("what\n")
    screen.expect(r"\[G\]o on\?")
    screen.type("\n")
    screen.expect("RUNNING for")
    screen.interrupt()
    screen.expect(r"\[G\]o on\?")
    screen.type("d\n")
    screen.expect("detached; run .* goes on")
    assert screen.wait() == ExitCode.OK
    assert latest().state().phase is RunPhase.RUNNING


def test_ctrl_c_twice_stops_the_run(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path))
    screen.expect("3  running")
    screen.interrupt()
    screen.expect(r"\[G\]o on\?")
    screen.interrupt()
    screen.expect("stopping the run")
    screen.expect("STOPPED after .*\n  reason  stopped by Ctrl-C")
    assert screen.wait() == ExitCode.INTERRUPTED
    assert latest().state().phase is RunPhase.STOPPED


def test_ctrl_c_and_s_stops_the_run(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path))
    screen.expect("3  running")
    screen.interrupt()
    screen.expect(r"\[G\]o on\?")
    screen.type("s\n")
    screen.expect("STOPPED")
    assert screen.wait() == ExitCode.INTERRUPTED


def test_a_run_that_ends_while_it_is_asked_makes_the_question_void(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path, steps=60))
    screen.expect("3  running")
    screen.interrupt()
    screen.expect(r"\[G\]o on\?")
    screen.expect("SUCCEEDED")
    assert screen.wait() == ExitCode.OK


def test_a_closed_terminal_ends_the_command_and_not_the_run(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path))
    screen.expect("3  running")
    screen.hang_up()
    run = wait_until_running()
    time.sleep(0.5)
    assert run.state().phase is RunPhase.RUNNING
    assert not list((run.path.parent.parent / "crash").glob("*"))


def test_a_killed_command_leaves_the_run_alone(tmp_path: Path) -> None:
    with npu_launch_beside(training(tmp_path, steps=60)) as command:
        run = wait_until_running()
        command.kill()
        command.wait()
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED


def test_a_resized_terminal_is_drawn_anew(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path, ranks=12))
    screen.expect("11  running")
    screen.resize(10, 50)
    os.kill(screen.process.pid, signal.SIGWINCH)
    screen.expect(r"and 8 ranks more")
    screen.resize(30, 100)
    os.kill(screen.process.pid, signal.SIGWINCH)
    screen.expect("11  running")


def test_a_second_terminal_follows_the_same_run_and_its_ctrl_c_is_its_own(tmp_path: Path, terminal: Open) -> None:
    first = terminal(training(tmp_path))
    first.expect("3  running")
    second = terminal("status", "--follow")
    second.expect("3  running")
    second.interrupt()
    assert second.wait() == ExitCode.INTERRUPTED
    assert latest().state().phase is RunPhase.RUNNING


def test_no_colour_is_no_reason_to_draw_nothing(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path, steps=60, pace=0.05), NO_COLOR="1")
    screen.expect(r"3  running .* \d+/60")
    assert screen.wait() == ExitCode.OK
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", screen.raw)


def test_a_terminal_without_a_cursor_gets_plain_text(tmp_path: Path, terminal: Open) -> None:
    screen = terminal(training(tmp_path, steps=3), TERM="dumb")
    assert screen.wait() == ExitCode.OK
    assert b"\x1b" not in screen.raw
    assert "rank 0 | epoch: 1 step: 3, loss is 3.5" in screen.text


def test_away_from_a_terminal_rank_0_speaks_on_stdout_and_the_rest_on_stderr(tmp_path: Path) -> None:
    done = npu_launch(training(tmp_path, steps=3, pace=0.01))
    assert done.code == ExitCode.OK
    lines = done.out.splitlines()
    assert lines[1:4] == [f"rank 0 | epoch: 1 step: {step}, loss is {step}.5" for step in (1, 2, 3)]
    assert all(line.startswith("rank 0 | ") for line in lines)
    assert "attempt 1: starting 4 ranks; rank 0's lines follow, those of all: " in done.err
    assert "SUCCEEDED" in done.err
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_away_from_a_terminal_a_signal_stops_the_run_and_waits_for_its_end(tmp_path: Path, number: int) -> None:
    with npu_launch_beside(training(tmp_path)) as command:
        run = wait_until_running()
        wait_for(lambda: b"step: 2" in run.rank_log(1, 0).read_bytes(), "training is under way")
        command.send_signal(number)
        assert command.wait(60) == ExitCode.INTERRUPTED
    assert run.state().phase is RunPhase.STOPPED


def test_every_attempt_of_a_run_that_fails_at_once_is_told(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, "echo I am $RANK_ID; exit 3", restart={"policy": "group", "max_restarts": 2})
    done = npu_launch(recipe)
    assert done.code == ExitCode.GAVE_UP
    assert [f"attempt {number}/3: starting 4 ranks" in done.err for number in (1, 2, 3)] == [True] * 3
    assert "GAVE UP" in done.err
    assert "the last lines of rank" in done.err


def test_a_detached_run_prints_its_id_and_nothing_else_on_stdout(tmp_path: Path) -> None:
    done = npu_launch("run", "-d", training(tmp_path, steps=3))
    run = latest()
    assert done.code == ExitCode.OK
    assert done.out == f"{run.id}\n"
    assert f"npu-launch logs {run.id} -f" in done.err
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED


def test_output_that_nobody_reads_any_more_does_not_end_the_following(tmp_path: Path) -> None:
    with npu_launch_beside(training(tmp_path, steps=60)) as command:
        wait_until_running()
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        command.stderr.close()
        assert command.wait(60) == ExitCode.OK
        command.stdout = command.stderr = None
