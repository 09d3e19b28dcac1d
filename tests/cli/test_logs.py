"""What `npu-launch logs` shows of a run with several hosts and sources."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from launcher.cli.log_text import Labels, labels_for
from launcher.cli.main import main
from launcher.cli.moments import parse_moment
from launcher.errors import ExitCode, UsageError
from launcher.logs.record import LogFile, Source
from launcher.runs.events import AttemptStarted, ClockMeasured, ProcessStarted
from tests.cli.conftest import Author, WrittenRun
from tests.cli.terminal import Terminal

PLOG = "[{level}] HCCL({pid},python3):2026-01-01-00:00:{second:02d}.000.000 [a.cc:1] [9]{text}"


def out_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["logs", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def plog(level: str, second: int, text: str, pid: int = 7) -> str:
    return PLOG.format(level=level, second=second, text=text, pid=pid)


@pytest.fixture
def run(author: Author) -> WrittenRun:
    """Two ranks on two hosts, of which rank 1's host is 10 s behind; both failed."""
    run = author.run(ranks=2)
    run.attempt = 1
    hosts = ("node-a", "node-b")
    run.happens(
        AttemptStarted(time=run.time, attempt=1, ranks=(0, 1), hosts=hosts),
        *(
            ProcessStarted(time=run.time, attempt=1, name=f"rank {rank}", rank=rank, pid=1000 + rank, host=host)
            for rank, host in enumerate(hosts)
        ),
        ClockMeasured(time=run.time, host="node-b", behind=10.0),
    )
    run.writes(0, plog("INFO", 20, "zero"), plog("ERROR", 22, "cannot connect to 3, error code 507011"), "  at a.cc")
    run.writes(1, plog("INFO", 9, "one"), plog("ERROR", 11, "cannot connect to 4, error code 507011"), "done")
    cann = run.directory.layout.attempt(1).rank(1).cann / "debug" / "plog"
    cann.mkdir(parents=True)
    (cann / "plog-1001_20260101000000000.log").write_text(plog("WARNING", 10, "slow") + "\n")
    run.exits(0, code=1)
    run.host = "node-b"
    run.exits(1, code=1)
    run.ends("failed")
    return run


@pytest.mark.usefixtures("run")
def test_hosts_whose_clocks_differ_are_merged_by_one_clock(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.partition(" | ")[0] for line in out_of(capsys)] == [
        *("node-b:1", "node-a:0", "node-b:1", "node-b:1", "node-a:0", "node-a:0")
    ]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (("--source", "plog"), ["slow"]),
        (("--source", "all", "--level", "warning", "--rank", "1"), ["slow", "507011", "done"]),
        (("--source", "plog,stdout", "--host", "node-b", "--level", "warning"), ["slow", "507011", "done"]),
        (("--grep", "(?i)ERROR CODE \\d+"), ["to 4", "to 3"]),
        (("--grep", "connect", "-n", "1"), ["to 3"]),
        (("--grep", "^(?!.*connect)", "-n", "2"), ["done", "at a.cc"]),
        (("--grep", "", "-n", "2"), ["to 3", "at a.cc"]),
        (("--level", "error"), ["to 4", "done", "to 3", "at a.cc"]),
        (("--since", "2026-01-01 00:00:21", "--until", "2026-01-01T00:00:21"), ["to 4", "done"]),
        (("--first-error",), ["to 4", "done", "to 3", "at a.cc"]),
        (("-n", "2"), ["to 3", "at a.cc"]),
    ],
)
def test_filters_choose_logs_and_lines(
    capsys: pytest.CaptureFixture[str], options: Sequence[str], texts: Sequence[str]
) -> None:
    lines = out_of(capsys, *options)
    assert len(lines) == len(texts)
    assert all(text in line for text, line in zip(texts, lines, strict=True)), lines


@pytest.mark.usefixtures("run")
def test_lines_that_differ_only_in_numbers_are_shown_once_with_their_ranks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = out_of(capsys, "--collapse")
    assert [line.partition(" | ")[0].strip() for line in lines] == ["[1]", "[0]", "[0-1]", "[1]", "[0]"]
    assert "cannot connect to 4" in lines[2]


@pytest.mark.parametrize("source", ["stdout", "all"])
def test_of_an_output_that_was_fetched_what_came_is_shown_once(
    run: WrittenRun, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = run.directory.rank_log(1, 1)
    copied = log.read_bytes()
    log.with_name(log.name + ".cut").write_bytes(copied + b"and the end\n")
    for _ in range(2):
        lines = [line for line in out_of(capsys, "--source", source, "--rank", "1") if "plog |" not in line]
        assert len(lines) == 4 and lines[-1].endswith(" | and the end")
        log.unlink(missing_ok=True)


@pytest.mark.usefixtures("run")
def test_raw_lines_are_the_bytes_that_were_written(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["logs", "--raw", "--grep", "at a.cc|done"]) == 0
    assert capfdbinary.readouterr().out == b"done\n  at a.cc\n"


def test_json_has_one_object_a_line(run: WrittenRun, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = map(json.loads, out_of(capsys, "--json"))
    assert first == {
        "time": parse_moment("2026-01-01 00:00:19", ""),
        "level": "info",
        "source": "stdout",
        "attempt": 1,
        "host": "node-b",
        "rank": 1,
        "device": None,
        "file": "attempts/1/ranks/1/stdout.log",
        "offset": 0,
        "text": plog("INFO", 9, "one"),
    }
    assert [each["level"] for each in others] == ["info", "error", "error", "error", "error"]
    content = run.directory.rank_log(1, 0).read_bytes()
    for each in others:
        if each["rank"] == 0:
            assert content[each["offset"] :].startswith(each["text"].encode())


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "options",
    [
        ("--source", "plug"),
        ("--host", "node-c"),
        ("--rank", "2"),
        ("--level", "loud"),
        ("--grep", "("),
        ("--since", "yesterday"),
        ("--raw", "--json"),
        ("--first-error", "-n", "3"),
        ("--first-error", "-f"),
        ("-f", "--frames", "plain,nonsense"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(options: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", *options]) == ExitCode.USAGE
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("run")
def test_waiting_ends_with_the_exit_code_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "--wait"]) == ExitCode.JOB_FAILED
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_new_lines_of_all_sources_are_followed_also_in_files_that_come_later(
    author: Author, capsys: pytest.CaptureFixture[str]
) -> None:
    run = author.run(ranks=1)
    lock = run.directory.lock()
    assert lock.try_acquire()
    run.starts()
    cann = run.directory.layout.attempt(1).rank(0).cann / "debug" / "plog"
    cann.mkdir(parents=True)
    log = cann / "plog-7_20260101000000000.log"
    log.write_text(plog("INFO", 1, "before") + "\n")

    def happen() -> None:
        with log.open("a") as file:
            file.write(plog("INFO", 2, "after") + "\n")
        (cann / "plog-7_20260101000100000.log").write_text(plog("INFO", 3, "rotated") + "\n")
        run.writes(0, "said")
        run.exits(0, code=0)
        run.ends("succeeded")
        lock.release()

    thread = threading.Timer(0.3, happen)
    thread.start()
    lines = out_of(capsys, "--wait", "--source", "plog,stdout")
    thread.join()
    assert sorted(line.rpartition("]")[2] for line in lines) == ["after", "before", "rank 0 | said", "rotated"]


def test_labels_say_who_wrote_a_line() -> None:
    def file(source: Source, rank: int | None, host: str | None) -> LogFile:
        return LogFile(Path("x"), "hosts/a/dmesg", source, 1, host, rank)

    one = labels_for([file(Source.STDOUT, 3, "a"), file(Source.PLOG, 10, "a")], colours=False)
    assert one.label(file(Source.STDOUT, 3, "a")) == b"rank  3 | "
    assert one.label(file(Source.PLOG, 10, "a")) == b"rank 10 plog | "
    two = labels_for([file(Source.STDOUT, 3, "a"), file(Source.STDOUT, 4, "b")], colours=True)
    assert two.label(file(Source.STDOUT, 3, "a")) == b"\x1b[32ma:3 |\x1b[0m "
    assert Labels(1, False, False).name(file(Source.HOST, None, "a")) == "a host"
    assert Labels(1, False, False).name(file(Source.LAUNCHER, None, None)) == "launcher"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", "2026-01-01 11:59:30"),
        ("1h30m", "2026-01-01 10:30"),
        ("11:59", "2026-01-01 11:59"),
        ("13:00:01.5", "2025-12-31 13:00:01.500000"),
        ("2026-01-01-00:00:01", "2026-01-01T00:00:01"),
    ],
)
def test_times_are_what_people_type(text: str, expected: str) -> None:
    now = parse_moment("2026-01-01 12:00", "--since")
    assert parse_moment(text, "--since", now) == parse_moment(expected, "--since")


@pytest.mark.parametrize("text", ["", "10", "25:00", "2026-13-01", "soon"])
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(UsageError):
        parse_moment(text, "--since", time.time())


def test_colours_are_for_terminals_that_want_them(run: WrittenRun) -> None:
    for no_color in ("", "1"):
        terminal = Terminal("logs", run.id, NO_COLOR=no_color)
        assert terminal.wait() == 0
        assert (b"\x1b[36m" in terminal.raw) is (not no_color)
