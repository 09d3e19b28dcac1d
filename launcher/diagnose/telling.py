"""Where no rule fits: the lines that tell most, because good runs do not have them and one rank alone says them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from launcher.diagnose.finding import Evidence
from launcher.logs.record import Level, LogFile, Source

_SHOWN: Final = 3
_TOTAL: Final = 24 << 20  # bytes of text that are looked at in all
_MOST: Final = 512 << 10  # of one log: its end
_FILES: Final = 256
_LONGEST: Final = 4 << 10  # bytes of a line that count
_OF_RANKS: Final = (Source.STDOUT, Source.PLOG, Source.FRAMEWORK, Source.SCHEDULER, Source.DEVICE)
_SEVERAL: Final = -1  # ranks that say the same

_EXCEPTION: Final = re.compile(r"^[\w.]*(Error|Exception|Interrupt)\b")
_TROUBLE: Final = re.compile(
    r"error|fail|abort|fatal|cannot|can't|unable|invalid|illegal|denied|refused|killed|corrupt|timed? ?out"
    r"|not found|lost",
    re.IGNORECASE,
)


class _Line(NamedTuple):
    file: LogFile
    offset: int
    text: str
    form: int
    level: Level | None
    place: float  # in its log: 0 the beginning of what was read, 1 its end


def telling_lines(
    files: Sequence[LogFile], good: Sequence[LogFile] = (), suspect: int | None = None
) -> tuple[Evidence, ...]:
    """At most three lines of logs that failed, in the order of files and lines; those of rank `suspect` before others.

    `good` are logs of runs of the same recipe that succeeded. Only the ends of logs are read, 24 MiB in all, so that
    memory does not grow with them. A log that cannot be read is passed over.
    """
    known = {line.form for line in _lines(_of_ranks(good, None))}
    lines: list[_Line] = []
    said_by: dict[int, int] = {}
    for line in _lines(_of_ranks(files, suspect)):
        who = _SEVERAL if line.file.rank is None else line.file.rank
        said_by[line.form] = who if said_by.get(line.form, who) == who else _SEVERAL
        if line.form not in known:
            lines.append(line)
    alone = len({line.file.rank for line in lines}) > 1
    best: dict[int, tuple[float, _Line]] = {}
    for line in lines:
        score = _score(line, suspect) + (2 if alone and said_by[line.form] != _SEVERAL else 0)
        if score > best.get(line.form, (0.0, line))[0]:
            best[line.form] = (score, line)
    chosen = [line for _, line in sorted(best.values(), key=lambda each: -each[0])[:_SHOWN]]
    order = {file.name: number for number, file in enumerate(files)}
    chosen.sort(key=lambda line: (order[line.file.name], line.offset))
    return tuple(Evidence(line.file.name, _number(line.file.path, line.offset), line.text) for line in chosen)


def _score(line: _Line, suspect: int | None) -> float:
    """How much a line tells; 0 for one that tells nothing of trouble."""
    weight = 0.0
    if line.level is not None and line.level >= Level.WARNING:
        weight += 2 if line.level >= Level.ERROR else 0.5
    if _EXCEPTION.match(line.text):
        weight += 4
    if _TROUBLE.search(line.text):
        weight += 1.5
    if not weight:
        return 0.0
    return weight + line.place + (1 if suspect is not None and line.file.rank == suspect else 0)


def _of_ranks(files: Sequence[LogFile], suspect: int | None) -> list[LogFile]:
    wanted = [file for file in files if file.source in _OF_RANKS]
    return sorted(wanted, key=lambda file: suspect is None or file.rank != suspect)[:_FILES]


def _lines(files: Sequence[LogFile]) -> Iterator[_Line]:
    most = min(_MOST, _TOTAL // max(len(files), 1))
    for file in files:
        with suppress(OSError):
            yield from _ending(file, most)


def _ending(file: LogFile, most: int) -> Iterator[_Line]:
    """The last lines of a log, without what is empty or no more than a frame of a traceback."""
    from launcher.logs.grammar import decoded, level_of, normalised
    from launcher.logs.packed import open_log, text_size

    size = text_size(file.path) or 0
    with open_log(file.path) as log:
        log.seek(max(size - most, 0))
        text = log.read(most)
        begin = log.tell() - len(text)  # behind a gap, perhaps
    if begin:
        cut = text.find(b"\n") + 1
        begin, text = begin + cut, text[cut:]
    offset = begin
    for raw in text.splitlines(keepends=True):
        line = decoded(raw[:_LONGEST].rstrip(b"\r\n"))
        if any(map(str.isalpha, line)) and not line.startswith((" ", "\t")):
            yield _Line(file, offset, line, hash(normalised(line)), level_of(raw), (offset - begin) / len(text))
        offset += len(raw)


def _number(path: Path, offset: int) -> int:
    """The number of the line that begins at an offset."""
    from launcher.logs.blocks import blocks

    with suppress(OSError):
        return 1 + sum(block.count(b"\n") for _, block in blocks(path, 0, offset))
    return 1
