"""What is printed of logs, block by block, is what one gets who looks at each line by itself."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.cli.log_cursor import Mark
from launcher.cli.log_printing import Request, print_logs
from launcher.cli.log_text import Form, Json, Labelled, Labels, Raw, shown
from launcher.logs.grammar import level_of
from launcher.logs.pattern import Pattern
from launcher.logs.record import Level, LogFile, Source
from launcher.logs.search import Search
from launcher.logs.selection import Selection
from launcher.logs.stamps import key_of_line, time_of
from launcher.logs.whole import Log, Part

LABELS = Labels(1, False, False)
PATTERNS = (None, "needle", r"needle\ 1", r"n.*\d$", "[a-z]")
HEADS = st.sampled_from(
    [
        b"[INFO] HCCL(7,python3):2026-01-02-00:00:%02d.000.000 ",
        b"[ERROR] GE(7,python3):2026-01-02-00:00:%02d.500.000 [a.cc:1] ",
        b"[INFO] GE(7,python3):2026-99-02-00:00:%02d.500.000 ",  # a month that there is not
        b"[INFO] GE(7,python3):2026-01-02-00:00-%02d.500:000 ",  # no stamp, but made of the same
        b"2026-01-02 00:00:%02d,250 - WARNING - ",
        b"[2026-01-02 00:00:%02d] ",
        b"Jan  2 00:00:%02d node-a kernel: ",
    ]
)
TEXTS = st.sampled_from(
    [b"needle 1", b"needle", b"hay", b'say "so"\\n\t', b"\x1b[31mred", b"\xff\xfe", "通信".encode(), b""]
)
LINES = st.lists(st.tuples(st.one_of(st.none(), HEADS), st.integers(1, 3), TEXTS), max_size=18)


def written(lines: list[tuple[bytes | None, int, bytes]]) -> list[bytes]:
    """Lines with and without a head, whose stamps are so many seconds behind each other."""
    second = itertools.accumulate((pause for _, pause, _ in lines), initial=0)
    return [(b"" if head is None else head % when) + text for (head, _, text), when in zip(lines, second, strict=False)]


LOGS = st.lists(LINES.map(written), min_size=1, max_size=3)


class Sink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def mark(self, _cursor: Mark, /) -> None:
        pass


def printed(logs: Sequence[Log], selection: Selection, form: Form[bytes]) -> bytes:
    sink = Sink()
    print_logs(logs, Request(selection, form), sink)
    return sink.data


def one_by_one(logs: Sequence[list[bytes]], pattern: str | None) -> list[tuple[str, int, int, Level | None, bytes]]:
    """Each wanted line with its key, its log, its offset and its level, in the order of time."""
    found = []
    for number, lines in enumerate(logs):
        key, offset, level = "", 0, None
        for line in lines:
            own = key_of_line(line)
            key = max(key, own)
            its_level = level_of(line + b"\n")
            if its_level is not None or own:
                level = its_level
            if pattern is None or re.search(pattern.encode(), line):
                found.append((key, number, offset, level, line))
            offset += len(line) + 1
    return sorted(found, key=lambda each: each[:2])


@settings(max_examples=100, deadline=None)
@given(LOGS, st.sampled_from(PATTERNS), st.sampled_from([60, 1 << 18]))
def test_what_is_printed_quickly_is_what_looking_at_each_line_gives(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[bytes]], pattern: str | None, block: int
) -> None:
    contents = [[b"[INFO] GE(7,python3):2026-01-01-00:00:00.000.000 begun", *lines] for lines in contents]
    folder = tmp_path_factory.mktemp("printed")
    logs = []
    for rank, lines in enumerate(contents):
        path = folder / f"{rank}.log"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        logs.append(Log((Part(LogFile(path, path.name, Source.STDOUT, 1, "a", rank), path.stat().st_size, 0.0),)))
    selection = Selection(None if pattern is None else Search([Pattern(pattern, literal=False)]))
    wanted = one_by_one(contents, pattern)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launcher.cli.log_printing.block_size", lambda *_: block)
        patch.setattr("launcher.logs.stamps._LARGE", 0)
        assert printed(logs, selection, Raw()) == b"".join(line + b"\n" for *_, line in wanted)
        assert printed(logs, selection, Labelled(LABELS)) == b"".join(
            f"rank {rank} | {shown(line)}\n".encode("utf-8", "replace") for _, rank, _, _, line in wanted
        )
        told = [json.loads(line) for line in printed(logs, selection, Json()).splitlines()]
    assert told == [
        {
            "time": round(time_of(key), 6),
            "level": None if level is None else level.name.lower(),
            "source": "stdout",
            "attempt": 1,
            "host": "a",
            "rank": rank,
            "device": None,
            "file": f"{rank}.log",
            "offset": offset,
            "text": line.decode("utf-8", "replace"),
        }
        for key, rank, offset, level, line in wanted
    ]


@pytest.mark.parametrize("size", [60_000, 70_000, 200_000, 300_000])
def test_a_long_line_is_shortened_wherever_it_stands(tmp_path: Path, size: int) -> None:
    for before in (0, 1000, 65_000):
        path = tmp_path / "log"
        lines = [b"x" * before, b"y" * size, b"z"]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        part = Part(LogFile(path, "log", Source.STDOUT, 1, "a", 0), path.stat().st_size, 0.0)
        expected = "".join(f"rank 0 | {shown(line)}\n" for line in lines).encode()
        assert printed([Log((part,), 0.0)], Selection(), Labelled(LABELS)) == expected
