"""ps, status and logs show what records and logs say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from launcher.cli.main import main
from launcher.errors import ExitCode
from tests.cli.conftest import Author


def out_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return capsys.readouterr().out


def test_ps_lists_runs_the_latest_first(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    author.run("old", age=7200)
    failed = author.failed("job [bold]", ranks=16)
    heading, first, second = out_of(capsys, "ps").splitlines()
    assert heading.split() == ["RUN", "STATE", "RANKS", "ATTEMPTS", "AGE", "DURATION", "NAME"]
    assert first.split()[:4] == [failed.id, "failed", "16", "1"]
    assert first.endswith("job [bold]")
    assert second.split()[1] == "lost"
    assert second.split()[4] == "2h00m"


def test_ps_without_runs_has_nothing_on_stdout(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ps"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "no runs yet" in err
    assert json.loads(out_of(capsys, "ps", "--json")) == []


def test_ps_json_is_a_list_of_runs(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.failed()
    (document,) = json.loads(out_of(capsys, "ps", "--json"))
    assert (document["run"], document["phase"], document["exit_code"], document["world_size"]) == (
        run.id,
        "failed",
        1,
        4,
    )


def test_status_takes_the_latest_run_or_the_beginning_of_an_id(
    author: Author, capsys: pytest.CaptureFixture[str]
) -> None:
    first = author.succeeded("first")
    second = author.failed("second")
    assert second.id in out_of(capsys, "status")
    assert first.id in out_of(capsys, "status", "fir")
    assert main(["status", "third"]) == ExitCode.USAGE
    assert "no run is called 'third'" in capsys.readouterr().err


def test_status_json_is_what_its_documentation_says(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.failed()
    run.writes(0, "epoch: 2 step: 12, loss is nan", "Eval result: epoch 2, metrics: {'mIoU': nan}")
    document = json.loads(out_of(capsys, "status", "--json"), parse_constant=pytest.fail)
    assert document["version"] == 1
    assert document["first_failure"]["rank"] == 2
    assert document["first_failure"]["last_lines"][-1] == "RuntimeError: boom [bold]x[/bold]"
    assert document["progress"]["steps_done"] == 31
    assert document["attempts"][0]["first_failure"] == 2
    assert [rank["phase"] for rank in document["ranks"]] == ["failed", "stopped", "failed", "stopped"]
    assert [rank["signal"] for rank in document["ranks"]] == [6, 15, None, 15]
    assert document["ranks"][2]["exit_code"] == 1
    assert document["ranks"][0]["last_loss"] == "nan"
    assert document["ranks"][0]["evaluations"] == [{"epoch": 2, "metrics": {"mIoU": "nan"}}]
    assert Path(document["ranks"][3]["log"]).exists()
    assert run.id == document["run"]


def test_every_key_of_the_documents_is_documented(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    from launcher.cli import documents

    author.failed()

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for item in value.values() for key in keys(item)}
        return {key for item in value for key in keys(item)} if isinstance(value, list) else set()

    words = set((documents.__doc__ or "").replace(",", " ").replace(":", " ").replace(";", " ").split())
    assert keys(json.loads(out_of(capsys, "status", "--json"))) <= words


def test_status_of_a_run_that_is_still_being_made(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.run()
    lock = run.directory.lock()
    assert lock.try_acquire()
    assert "CREATED" in out_of(capsys, "status")
    lock.release()


def test_logs_print_every_line_with_its_rank(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.run(ranks=11)
    run.starts()
    run.writes(10, "[2026-01-01 00:00:03] ten", b"\x1b[31mred")
    run.writes(0, "[2026-01-01 00:00:01] zero", "half\rwhole").open("ab").write(b"no end")
    run.ends("failed")
    expected = ["[2026-01-01 00:00:01] zero", "whole", "no end"]
    expected = [*(f"rank  0 | {text}" for text in expected), "rank 10 | [2026-01-01 00:00:03] ten", "rank 10 | red"]
    assert out_of(capsys, "logs").splitlines() == expected
    assert out_of(capsys, "logs", "-n", "3").splitlines() == expected[-3:]
    assert out_of(capsys, "logs", "--rank", "8-10").splitlines() == expected[-2:]
    assert out_of(capsys, "logs", "-f", "--rank", "10").splitlines() == expected[-2:]
    assert out_of(capsys, "logs", "-n", "0") == ""


def test_logs_of_an_earlier_attempt_are_still_there(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.run(ranks=1)
    run.starts()
    run.writes(0, "first")
    run.starts()
    run.writes(0, "second")
    run.ends("failed")
    assert out_of(capsys, "logs") == "rank 0 | second\n"
    assert out_of(capsys, "logs", "--attempt", "1") == "rank 0 | first\n"
    assert main(["logs", "--attempt", "3"]) == ExitCode.USAGE
    assert "one of 1, 2" in capsys.readouterr().err


def test_logs_of_no_rank_of_the_run_are_a_usage_error(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    author.succeeded()
    assert main(["logs", "--rank", "4"]) == ExitCode.USAGE
    assert "ranks from 0 to 3" in capsys.readouterr().err


def test_logs_that_are_empty_say_so_on_stderr(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.run()
    run.starts()
    run.ends("stopped")
    assert main(["logs"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing written yet" in err


def test_followed_logs_go_on_over_a_restart_and_end_with_the_run(
    author: Author, capsys: pytest.CaptureFixture[str]
) -> None:
    run = author.run(ranks=2)
    lock = run.directory.lock()
    assert lock.try_acquire()
    run.starts()
    run.writes(0, "one", "two")

    def happen() -> None:
        for line in range(500):
            run.writes(line % 2, f"first {line}")
        run.exits(0, code=1)
        run.idles()
        run.starts()
        time.sleep(0.1)
        for line in range(500):
            run.writes(line % 2, f"second {line}")
        run.exits(0, 1)
        run.ends("succeeded")
        lock.release()

    thread = threading.Timer(2, happen)  # when the command has begun to follow
    thread.start()
    lines = out_of(capsys, "logs", "-f", "-n", "1").splitlines()
    thread.join()
    assert [line for line in lines if line.startswith("rank 0")] == [
        "rank 0 | two",
        *(f"rank 0 | first {line}" for line in range(0, 500, 2)),
        *(f"rank 0 | second {line}" for line in range(0, 500, 2)),
    ]
    assert len(lines) == 1001


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(author: Author) -> None:
    run = author.run(ranks=1)
    run.starts()
    run.writes(0, *("line" * 100 for _ in range(20_000)))
    run.ends("failed")
    command = f"{sys.executable} -m launcher.cli.main logs | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.returncode == 0


def test_an_encoding_without_the_characters_is_no_error(author: Author) -> None:
    run = author.run(ranks=1)
    run.starts()
    run.writes(0, "训练")
    run.ends("failed")
    done = subprocess.run(
        [sys.executable, "-m", "launcher.cli.main", "logs"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout == "rank 0 | \\u8bad\\u7ec3\n"
