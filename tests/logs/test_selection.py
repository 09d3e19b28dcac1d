"""Filters choose the same lines whatever the blocks, and each has its time."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.ending import last_lines
from launcher.logs.frames import compress
from launcher.logs.lines import Lines
from launcher.logs.merge import merged
from launcher.logs.packed import open_log
from launcher.logs.pattern import Pattern
from launcher.logs.record import Level, LogFile, Source
from launcher.logs.search import Search
from launcher.logs.selection import Pace, Selection, Selector
from launcher.logs.stamps import key_of, keys_of, time_of
from launcher.logs.whole import Log, Part, offset_at, part_of, read_lines, without_torn_line

BEGUN = datetime(2025, 10, 28, 17, 45, 13)
GREP = Search([Pattern("needle")])
KINDS = (
    "[INFO] HCCL(107,python3):{plog} [a.cc:1] [107]{text}",
    "[ERROR] HCCL(107,python3):{plog} [a.cc:1] [107]{text}",
    "{iso} - INFO - {text}",
    "    {text}",
    "{text}",
)


def written(lines: list[tuple[int, int, bool]]) -> bytes:
    """Lines of these kinds, so many milliseconds after each other, with a needle or without."""
    when = BEGUN
    content: list[str] = []
    for kind, pause, needle in lines:
        when += timedelta(milliseconds=pause)
        plog = when.strftime("%Y-%m-%d-%H:%M:%S") + f".{when.microsecond // 1000:03d}.000"
        iso = when.strftime("%Y-%m-%d %H:%M:%S") + f",{when.microsecond // 1000:03d}"
        text = f"needle {len(content)}" if needle else f"hay {len(content)}"
        content.append(KINDS[kind].format(plog=plog, iso=iso, text=text))
    return "".join(f"{line}\n" for line in content).encode()


LINES = st.lists(st.tuples(st.integers(0, len(KINDS) - 1), st.integers(0, 2000), st.booleans()), max_size=30)
SELECTIONS = st.builds(
    Selection,
    grep=st.sampled_from([None, GREP]),
    level=st.sampled_from([None, Level.INFO, Level.ERROR]),
    since=st.sampled_from([None, (BEGUN + timedelta(seconds=3)).timestamp()]),
    until=st.sampled_from([None, (BEGUN + timedelta(seconds=6)).timestamp()]),
)


def log_of(path: Path, content: bytes, name: str = "log") -> Log:
    (path / name).write_bytes(content)
    part = part_of(LogFile(path / name, name, Source.STDOUT, rank=0))
    assert part is not None
    return Log((part._replace(written=BEGUN.timestamp() + 100),), BEGUN.timestamp() - 100)


def chosen(log: Log, selection: Selection, size: int = 1 << 20) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for file, lines in read_lines(log, selection, size):
        with open_log(file.path) as opened:
            content = opened.read()
        assert all(content[at:].startswith(text) for at, text in zip(lines.offsets, lines.texts, strict=False))
        found += zip(lines.keys, lines.texts, strict=True)
    return found


@settings(max_examples=150, deadline=None)
@given(LINES, SELECTIONS, st.integers(1, 200))
def test_what_is_chosen_does_not_depend_on_blocks_nor_on_the_way_it_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[tuple[int, int, bool]],
    selection: Selection,
    size: int,
) -> None:
    log = log_of(tmp_path_factory.mktemp("select"), written(lines))
    everything = chosen(log, Selection())
    assert [text for _, text in everything] == written(lines).splitlines(keepends=True)
    assert [key for key, _ in everything] == sorted(key for key, _ in everything)
    found = chosen(log, selection, size)
    stamped = next((index for index, (kind, _, _) in enumerate(lines) if kind < 3), len(lines))
    wanted = [
        text
        for index, (key, text) in enumerate(everything)
        if (selection.grep is None or b"needle" in text)
        and (selection.level is None or level_at(lines, index) >= selection.level)
        and (selection.since is None or key >= key_of(selection.since)[:17])
        and (selection.until is None or key[:17] <= key_of(selection.until)[:17])
        and index >= stamped  # before the first time, times are guessed from what is known of the block
    ]
    guessed = {text for _, text in everything[:stamped]}
    assert [text for _, text in found if text not in guessed] == wanted


def level_at(lines: list[tuple[int, int, bool]], index: int) -> Level:
    """The level of the nearest line at or before this one that has a header."""
    for kind, _, _ in reversed(lines[: index + 1]):
        if kind < 3:
            return Level.ERROR if kind == 1 else Level.INFO
    return Level.DEBUG


@settings(max_examples=100, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=4), st.sampled_from([Selection(), Selection(GREP)]), st.integers(0, 12))
def test_the_last_lines_are_those_that_end_the_whole(
    tmp_path_factory: pytest.TempPathFactory, logs: list[list[tuple[int, int, bool]]], selection: Selection, count: int
) -> None:
    folder = tmp_path_factory.mktemp("end")
    stamped = [[(0, 0, False), *lines] for lines in logs]
    made = [log_of(folder, written(lines), f"log{number}") for number, lines in enumerate(stamped)]
    whole = [
        text
        for _, texts in merged([((ls.keys, ls.texts) for _, ls in read_lines(log, selection, 1 << 20)) for log in made])
        for text in texts
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launcher.logs.ending._FIRST", 100)
        ends = last_lines(made, selection, count)
    found = [text for _, texts in merged([((ls.keys, ls.texts) for _, ls in end) for end in ends]) for text in texts]
    assert found[len(found) - min(count, len(found)) :] == whole[len(whole) - min(count, len(whole)) :]


def test_a_time_is_found_by_halving(tmp_path: Path) -> None:
    lines = [(0, 1, False)] * 30_000
    log = log_of(tmp_path, written(lines))
    wanted = (BEGUN + timedelta(seconds=20)).timestamp()
    offset = offset_at(log.parts[0], key_of(wanted))
    assert offset > 0
    texts = log.file.path.read_bytes()[offset:].splitlines(keepends=True)
    assert keys_of(texts[0])[0] < key_of(wanted)
    assert len(texts) < 20_000
    assert len(chosen(log, Selection(since=wanted))) == 10_001


def test_a_log_without_times_is_spread_over_the_time_that_it_was_written_in(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"0123456\n" * 4)
    times = [time_of(key) - BEGUN.timestamp() for key, _ in chosen(log, Selection())]
    assert times == pytest.approx([-100, -50, 0, 50])


def test_the_clock_of_a_host_is_set_right(tmp_path: Path) -> None:
    log = log_of(tmp_path, written([(0, 0, False), (3, 0, False), (2, 500, False)]))
    log = Log(log.parts, log.begun, lambda when: when + 300)
    times = [time_of(key) - BEGUN.timestamp() for key, _ in chosen(log, Selection())]
    assert times == pytest.approx([300, 300, 300.5])


def test_the_parts_of_a_rotated_log_are_one(tmp_path: Path) -> None:
    first = log_of(tmp_path, written([(0, 0, False)]), "log.1").parts[0]
    then = log_of(tmp_path, written([(3, 0, False), (2, 500, True)]), "log").parts[0]
    keys = [key for key, _ in chosen(Log((first, then)), Selection())]
    assert keys == sorted(keys)
    ((_, older), (_, newer)) = last_lines([Log((first, then))], Selection(), 3)[0]
    assert older.texts + newer.texts == (first.file.path.read_bytes() + then.file.path.read_bytes()).splitlines(True)


@pytest.mark.parametrize(("content", "whole"), [(b"a\nb", 2), (b"a\nb\n", 4), (b"ab", 0), (b"", 0)])
def test_a_line_that_is_still_written_is_left_for_later(tmp_path: Path, content: bytes, whole: int) -> None:
    (part,) = log_of(tmp_path, content).parts
    assert without_torn_line(part).size == whole


@pytest.mark.parametrize("kind", [".zst", ".gz"])
def test_a_log_that_was_compressed_reads_as_it_did(tmp_path: Path, kind: str) -> None:
    content = written([(index % 5, 100, index % 3 == 0) for index in range(400)])
    plain = log_of(tmp_path, content)
    packed = tmp_path / f"log{kind}"
    if kind == ".gz":
        packed.write_bytes(gzip.compress(content))
    else:
        with plain.file.path.open("rb") as source, packed.open("wb") as target:
            compress(source, target)
    part = part_of(LogFile(packed, packed.name, Source.STDOUT, rank=0))
    assert part is not None and part.size == len(content)
    log = Log((part._replace(written=plain.parts[0].written),), plain.begun)
    for selection in (Selection(), Selection(GREP), Selection(since=BEGUN.timestamp() + 20)):
        assert chosen(log, selection) == chosen(plain, selection)
        assert last_lines([log], selection, 7)[0][0][1].texts == last_lines([plain], selection, 7)[0][0][1].texts


@pytest.mark.parametrize(("text", "found"), [("", 4), ("^", 4), ("a|", 4), ("^(?!rank)", 3), ("^$", 1), (r"\b", 3)])
def test_an_expression_that_can_match_nothing_finds_every_line_that_re_does(
    tmp_path: Path, text: str, found: int
) -> None:
    log = log_of(tmp_path, b"rank 0\n\nstep 1\n" + written([(0, 0, True)]))
    assert len(chosen(log, Selection(Search([Pattern(text, literal=False)])))) == found


def test_a_log_that_is_gone_has_no_lines(tmp_path: Path) -> None:
    part = Part(LogFile(tmp_path / "none", "none", Source.STDOUT), 10, 0.0)
    assert chosen(Log((part,)), Selection()) == []
    assert last_lines([Log((part,))], Selection(), 5) == [[]]


def test_a_record_that_an_error_began_is_wanted_to_its_end() -> None:
    selector = Selector(Selection(level=Level.ERROR))
    selector.pace = Pace(0, 0, 0)
    block = written([(0, 0, False), (1, 0, False), (3, 0, False)])
    assert len(selector.lines(0, block).texts) == 2
    more = b"    more\n" + written([(0, 0, False)])
    assert selector.lines(len(block), more).texts == [b"    more\n"]
    assert selector.lines(0, more) == Lines([], [], [], [])
