"""Lines of logs as they are shown: with who wrote them, as they are, as JSON, or each kind once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring
from typing import Final, NamedTuple, Protocol, TypeVar

from launcher.logs.collapse import Alike, Collapsing
from launcher.logs.lines import Lines
from launcher.logs.record import Level, LogFile, Source
from launcher.logs.safe import safe_line
from launcher.logs.stamps import time_of
from launcher.logs.tail import shortened
from launcher.runs.ranks import rank_list

Item = TypeVar("Item")

_PLAIN: Final = bytes(range(0x20, 0x7F)) + b"\n"  # what a line may hold that is shown as it is
_LONG: Final = 1 << 16  # bytes: a line that is longer than two of these is looked at by itself
_LEVELS: Final[dict[Level | None, str]] = {None: "null", **{level: f'"{level.name.lower()}"' for level in Level}}
_COLOURS: Final = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)  # SGR; red is left for what went wrong


class Form(Protocol[Item]):
    """How lines are shown: each becomes an item, and items, once they are in order, become bytes.

    `levels` says whether it needs to know the levels of all lines, `pause` for how many seconds new lines may wait for
    others to be shown with them.
    """

    levels: bool
    pause: float

    def items(self, file: LogFile, lines: Lines) -> list[Item]:
        """One for each of these lines of a log."""
        ...

    def together(self, items: Sequence[Item]) -> bytes:
        """What is to be seen of items of any logs."""
        ...

    def rest(self) -> bytes:
        """What was held back of those before."""
        ...


class Labels(NamedTuple):
    """Who wrote a line, in front of it: `rank 3 | `, and where a run has several hosts, `node-a:3 | `.

    Logs that are no rank's output have their source there, too. Ranks are padded to `digits`.
    """

    digits: int
    hosts: bool
    colours: bool

    def label(self, file: LogFile) -> bytes:
        text = f"{self.name(file)} |"
        if self.colours:
            code = _COLOURS[(len(text) if file.rank is None else file.rank) % len(_COLOURS)]
            text = f"\x1b[{code}m{text}\x1b[0m"
        return f"{text} ".encode()

    def name(self, file: LogFile) -> str:
        """`rank  3`, `node-a:3 plog`, `node-a host`, `launcher`."""
        of = "" if file.source is Source.STDOUT else file.source.value
        host = safe_line(file.host or "")
        if file.rank is None:
            return " ".join(filter(None, (host, of))) or safe_line(file.name)
        rank = f"{host}:{file.rank:<{self.digits}}" if self.hosts and host else f"rank {file.rank:>{self.digits}}"
        return f"{rank} {of}" if of else rank


def labels_for(files: Iterable[LogFile], *, colours: bool) -> Labels:
    """Labels that line up for these logs."""
    ranks, hosts = {0}, set()
    for file in files:
        if file.rank is not None:
            ranks.add(file.rank)
            hosts.add(file.host)
    return Labels(len(str(max(ranks))), len(hosts - {None}) > 1, colours)


class _EachByItself:
    """Lines that are shown whatever the others are."""

    levels = False
    pause = 0.02

    def together(self, items: Sequence[bytes]) -> bytes:
        return b"".join(items)

    def rest(self) -> bytes:
        return b""


class Labelled(_EachByItself):
    """Lines as a person reads them, with who wrote them, and harmless for a terminal."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def items(self, file: LogFile, lines: Lines) -> list[bytes]:
        label, texts = self._labels.label(file), lines.texts
        if _is_harmless(b"".join(texts)):
            return [label + text for text in texts]
        return [label + shown(text).encode("utf-8", "replace") + b"\n" for text in texts]


class Raw(_EachByItself):
    """Lines as they were written."""

    def items(self, _file: LogFile, lines: Lines) -> list[bytes]:
        texts = lines.texts
        return texts if texts[-1].endswith(b"\n") else [*texts[:-1], texts[-1] + b"\n"]


class Json(_EachByItself):
    """One object a line; docs/logs.md describes its fields."""

    levels = True

    def items(self, file: LogFile, lines: Lines) -> list[bytes]:
        source = {"source": file.source.value, "attempt": file.attempt, "host": file.host, "rank": file.rank}
        place = {"device": file.device, "file": file.name}
        same = json.dumps({**source, **place}, ensure_ascii=False)[1:-1]
        objects = (
            f'{{"time": {_time(key)}, "level": {_LEVELS[level]}, {same}, "offset": {offset}, "text": {_text(text)}}}\n'
            for key, text, offset, level in zip(*lines, strict=True)
        )
        return [each.encode("utf-8", "replace") for each in objects]


class Collapsed:
    """Each kind of line once, with the ranks that wrote one."""

    levels = False
    pause = 0.5

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._collapsing = Collapsing()

    def items(self, file: LogFile, lines: Lines) -> list[tuple[LogFile, bytes]]:
        return [(file, text) for text in lines.texts]

    def together(self, items: Sequence[tuple[LogFile, bytes]]) -> bytes:
        ended: list[Alike] = []
        for file, text in items:
            ended += self._collapsing.add(shown(text), file.rank, self._labels.name(file))
        return b"".join(map(_alike, ended))

    def rest(self) -> bytes:
        return b"".join(map(_alike, self._collapsing.finish()))


def shown(text: bytes) -> str:
    """A line that can do nothing to a terminal; of a very long one the middle is left out."""
    return safe_line(shortened(text.rstrip(b"\n")))


def _alike(alike: Alike) -> bytes:
    """`[0-6] | text  (x12)`: the first of some lines, who wrote them, and how many when it is more than one each."""
    writers = [f"[{rank_list(alike.ranks)}]"] if alike.ranks else []
    writers += alike.others
    repeated = f"  (x{alike.count})" if alike.count > len(alike.ranks) + len(alike.others) else ""
    return f"{' '.join(writers):<8} | {alike.first}{repeated}\n".encode("utf-8", "replace")


def _is_harmless(block: bytes) -> bool:
    """Whether these lines are shown as they are: whole, of printable ASCII, and none too long."""
    if not block.endswith(b"\n") or block.translate(None, _PLAIN):
        return False
    return all(block.find(b"\n", begin, begin + _LONG) >= 0 for begin in range(0, len(block), _LONG))


def _time(key: str) -> float:
    return round(time_of(key), 6)


def _text(text: bytes) -> str:
    """A line as a string of JSON."""
    return encode_basestring(text.rstrip(b"\n").decode("utf-8", "replace"))
