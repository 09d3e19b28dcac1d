"""Every way of looking for patterns finds the same lines, in blocks of any size."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs import blocks
from launcher.logs.pattern import Pattern
from launcher.logs.scan import Scanner, matching_lines
from tests.logs.patterns import BLOCKS, PATTERNS, expected

QUICK, SLOW = Scanner(PATTERNS), Scanner(PATTERNS, quick=False)
WORDS = Scanner([Pattern("error"), Pattern("a")])


@settings(max_examples=200, deadline=None)
@given(BLOCKS)
def test_hyperscan_and_re_find_the_same(block: bytes) -> None:
    hits = QUICK.hits(block)
    assert hits == SLOW.hits(block)
    assert hits == QUICK.hits(memoryview(block))
    assert {(index, block.count(b"\n", 0, end)) for index, end in hits} == expected(block)
    assert len({(index, block.count(b"\n", 0, end)) for index, end in hits}) == len(hits)


def test_a_machine_without_hyperscan_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    assert Scanner([Pattern("one"), Pattern("t.o", literal=False)]).hits(b"two\none\n") == [(1, 3), (0, 7)]


def test_what_is_in_every_line_is_left_to_re() -> None:
    block = b"abc\n" * 50_000
    assert len(Scanner([Pattern("[abc]+", literal=False)]).hits(block)) == 50_000


def test_chinese_is_found_in_gbk_too() -> None:
    assert Scanner([Pattern("通信失败")]).hits("内部 通信失败\n".encode("gbk")) != []


@pytest.mark.parametrize("pattern", [Pattern(""), Pattern("a\nb"), Pattern("(", literal=False)])
def test_what_is_no_pattern_is_an_error(pattern: Pattern) -> None:
    with pytest.raises(re.error):
        Scanner([pattern])


@settings(max_examples=50, deadline=None)
@given(BLOCKS, st.integers(1, 20), st.integers(0, 3))
def test_lines_do_not_depend_on_the_blocks_that_they_are_read_in(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int, skipped: int
) -> None:
    path = tmp_path_factory.mktemp("scan") / "log"
    path.write_bytes(content)
    lines = content.split(b"\n")
    skipped = min(skipped, len(lines) - 1)
    begin = sum(len(line) + 1 for line in lines[:skipped])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks.views, "__defaults__", (0, None, size))
        found = list(matching_lines(path, WORDS, begin))
    wanted = [(number, line) for number, line in enumerate(lines[skipped:], 1) if b"error" in line or b"a" in line]
    assert [(match.number, match.line) for match in found] == wanted
    assert all(content[match.offset :].startswith(match.line) for match in found)
    assert [sorted(match.patterns) for match in found] == [
        [index for index, word in enumerate((b"error", b"a")) if word in line] for _, line in wanted
    ]


def test_a_part_of_a_log_ends_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a1\na2\na3\n")
    scanner = Scanner([Pattern("a")])
    assert [match.line for match in matching_lines(tmp_path / "log", scanner, 3, 6)] == [b"a2"]


def test_a_line_without_end_takes_no_more_memory_than_a_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LONGEST_LINE", 3 * blocks.BLOCK)
    (tmp_path / "log").write_bytes(b"x" * (10 * blocks.BLOCK) + b"error")
    (match,) = matching_lines(tmp_path / "log", Scanner([Pattern("error")]))
    assert len(match.line) <= 4 * blocks.BLOCK


def test_what_follows_a_long_line_is_read_in_blocks_as_short_as_before(tmp_path: Path) -> None:
    content = b"a\n" * 500 + b"x" * 5000 + b"\n" + b"b\n" * 5000
    (tmp_path / "log").write_bytes(content)
    read = [(offset, bytes(view)) for offset, view in blocks.views(tmp_path / "log", size=1000)]
    assert b"".join(block for _, block in read) == content
    assert all(content.startswith(block, offset) for offset, block in read)
    assert [len(block) for _, block in read if b"x" not in block and len(block) > 1000] == []
