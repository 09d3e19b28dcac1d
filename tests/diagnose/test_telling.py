"""Where no rule fits, the lines that tell most are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from launcher.diagnose.telling import telling_lines
from launcher.logs.record import LogFile, Source
from launcher.logs.trimming import trim


def log(folder: Path, rank: int, *lines: str, source: Source = Source.STDOUT) -> LogFile:
    path = folder / f"{rank}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return LogFile(path, f"{folder.name}/{rank}.log", source, rank=rank)


def told(
    files: Sequence[LogFile], good: Sequence[LogFile] = (), suspect: int | None = None
) -> list[tuple[str, int, str]]:
    return [(each.file, each.line, each.text) for each in telling_lines(files, good, suspect)]


def test_a_line_of_one_rank_alone_comes_before_what_all_say(tmp_path: Path) -> None:
    files = [log(tmp_path / "bad", rank, "step 1", f"error: retry {rank}") for rank in (0, 1, 3)]
    files.append(log(tmp_path / "bad", 2, "step 1", "error: retry 2", "cannot reach shelf 7"))
    assert ("bad/2.log", 3, "cannot reach shelf 7") in told(files)
    files.append(log(tmp_path / "bad", 4, "step 1", "cannot reach shelf 9"))  # now two say it
    assert len(told(files)) == 2


def test_what_good_runs_say_too_tells_nothing_whatever_the_numbers(tmp_path: Path) -> None:
    good = [log(tmp_path / "good", 0, "error: cache miss 17 at 0x7fff1234")]
    bad = [log(tmp_path / "bad", 0, "error: cache miss 4711 at 0x7aaa0000", "wrench failed to turn")]
    assert told(bad, good) == [("bad/0.log", 2, "wrench failed to turn")]


def test_lines_without_any_trouble_are_not_shown(tmp_path: Path) -> None:
    assert told([log(tmp_path / "bad", 0, "step 1", "loss 0.5", "all is well")]) == []


def test_at_most_three_lines_in_the_order_of_the_log(tmp_path: Path) -> None:
    files = [log(tmp_path / "bad", 0, *(f"failed to turn wrench {word}" for word in ("a", "b", "c", "d", "e")))]
    assert [line for _, line, _ in told(files)] == [3, 4, 5]


def test_only_the_end_of_a_long_log_is_read_and_lines_have_their_own_numbers(tmp_path: Path) -> None:
    lines = [f"step {number}, loss 0.5 and some more text to fill the line" for number in range(30_000)]
    files = [log(tmp_path / "bad", 0, *lines, "wrench failed to turn")]
    assert told(files) == [("bad/0.log", 30_001, "wrench failed to turn")]


def test_the_suspect_is_listened_to_first(tmp_path: Path) -> None:
    files = [
        log(tmp_path / "bad", 0, "left hinge failed", "right hinge failed", "door failed"),
        log(tmp_path / "bad", 1, "wrench failed to turn"),
    ]
    assert ("bad/1.log", 1, "wrench failed to turn") in told(files, suspect=1)


def test_a_log_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    gone = LogFile(tmp_path / "gone.log", "gone.log", Source.STDOUT, rank=0)
    assert told([gone, log(tmp_path / "bad", 1, "wrench failed to turn")]) == [
        ("bad/1.log", 1, "wrench failed to turn")
    ]


def test_a_line_behind_a_gap_has_the_number_that_an_editor_gives_it(tmp_path: Path) -> None:
    lines = [f"step {number}, loss 0.5 and some more text to fill the line" for number in range(60_000)]
    file = log(tmp_path / "bad", 0, *lines, "wrench failed to turn")
    trim(file.path, 1 << 20)
    seen_by_editors = file.path.read_bytes().count(b"\n")
    assert told([file]) == [("bad/0.log", seen_by_editors, "wrench failed to turn")]
