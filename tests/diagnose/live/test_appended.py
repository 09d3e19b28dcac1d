"""Whatever way a log grows in, the lines that a scanner points at come once, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.diagnose.live.appended import Appended
from launcher.logs.pattern import Pattern
from launcher.logs.scan import Match, Scanner, matching_lines

SCANNER = Scanner([Pattern("error"), Pattern("timeout")])
LINES = st.lists(st.sampled_from([b"error", b"fine", b"", b"a timeout and an error", b"x" * 70]), max_size=30)


def looks(path: Path, appended: Appended, most: int) -> list[Match]:
    """All that looks find until they find nothing more."""
    found: list[Match] = []
    for _ in range(path.stat().st_size // most + 2):
        found += appended.look(most)
    return found


@settings(max_examples=40, deadline=None)
@given(lines=LINES, cuts=st.lists(st.integers(0, 400), max_size=4), most=st.integers(8, 300))
def test_a_log_that_grows_says_what_it_says_when_it_is_read_at_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cuts: list[int], most: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    text = b"".join(line + b"\n" for line in lines)
    path.touch()
    appended, found, done = Appended(path, SCANNER), [], 0
    for cut in (*sorted(cuts), len(text)):
        with path.open("ab") as log:
            log.write(text[done:cut])
        done = max(done, cut)
        found += looks(path, appended, max(most, 100))
    assert found == list(matching_lines(path, SCANNER))


def test_the_beginning_of_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"an err")
    appended = Appended(log, SCANNER)
    assert not appended.look(100)
    log.write_bytes(b"an error\n")
    assert [match.line for match in appended.look(100)] == [b"an error"]
    assert not appended.look(100)


def test_a_log_that_is_written_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    appended = Appended(log, SCANNER)
    assert not appended.look(100)  # it is not there yet
    log.write_bytes(b"error 1\nerror 2\n")
    assert len(appended.look(100)) == 2
    log.write_bytes(b"error 3\n")
    assert [(match.line, match.number) for match in appended.look(100)] == [(b"error 3", 1)]


def test_a_line_longer_than_a_look_holds_nobody_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 1000 + b"\nerror\n")
    assert [match.line for match in looks(log, Appended(log, SCANNER), 100)] == [b"error"]
