"""What the lines of a log say about whose they are: processes, with their ranks, devices and hosts. Pure.

Sources: facts/logs.md, section 2 (`SetupAgent`, `hcom init`, `Entry-HcclCommInitRootInfo`) and section 4 (torch_npu's
`(PID:833, Device:0, RankID:3)`, prefixes); facts/env.md, section 3 (msrun); the report of torch elastic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from launcher.logs.grammar import Reader, level_of, stamp_of
from launcher.logs.record import Record, Source
from launcher.logs.sources.samples import Sample

_MOST_LOOKED_AT = 1000  # sayings of a kind at either end
_FIRST_LINES = 64
_WORLD_GROUP = "hccl_world_group"  # what MindSpore calls the communicator of all ranks
_LONGEST = 4096  # bytes of a line

# Where lines are that tell something: a text that is looked for first because that is quick, and what the line has to
# have there. Lines that have the same there say the same.
_TELLING = (
    (b"\n[", re.compile(rb"\n\[\w+\] ?\w+\(-?\d+[:,]")),
    (b"\n[rank", re.compile(rb"\n\[rank\d+\]:")),
    (b"RankID", re.compile(rb"\(PID: ?\d+, ?Device: ?-?\d+, ?RankID: ?-?\d+\)")),
    (b"rankNum[", re.compile(rb"(?:SetupAgent|hcom init)[^\n]{0,400}?rankNum\[\d+\], ?rank\[\d+\]")),
    (b"Entry-HcclCommInit", re.compile(rb"Entry-HcclCommInit\w*:ranks\[\d+\], ?rank\[\d+\]")),
    (b"[PID:", re.compile(rb"\[PID: ?\d+\]")),
    (b"RANK_ID", re.compile(rb"\bRANK_ID(?:=| is | is set to |: ?)\[?\d+")),
    (b"ank id", re.compile(rb"(?<!emote )(?<!peer )\b[Rr]ank id ?[:=\[] ?\d+")),
)
_FIELD = re.compile(r"\b(\w+)\[([^\[\]]*)\]")
_OWN_RANK = re.compile(r"\b(?:RANK_ID(?:=| is | is set to |: ?)\[?|(?<!emote )(?<!peer )[Rr]ank id ?[:=\[] ?)(\d+)")

# torch elastic tells of each failed worker in lines of this order.
_ELASTIC = re.compile(rb"host +: (\S+)\s+rank +: (\d+) \(local_rank: (\d+)\)\s+exitcode +: -?\d+ \(pid: (\d+)\)")

_CANN = re.compile(rb"\[\w+\] ?(\w+)\((-?\d+),[^,:()]*\): ?\d{4}-\d\d-\d\d-")
_ON_DEVICE = frozenset((b"KERNEL", b"TDT", b"TSCH", b"IMP", b"HCCP", b"LP", b"SLOG", b"TSDUMP", b"DMP", b"BBOX"))
_OF_HOST = re.compile(
    rb"\[ *\d+\.\d{6}\] |\[(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} |\w{3} +\d+ \d\d:\d\d:\d\d \S+ \w+(?:\[\d+\])?: "
    rb"|\| npu-smi |\$ (?:\S*/)?(?:npu-smi|hccn_tool|dmesg) "
)


class Saying(NamedTuple):
    """What a line says of a process; None where it says nothing, of its writer where there is no pid.

    `rank` is that of the job, or where `world` is known that in a communicator of so many ranks. `device` may be the
    number that the process itself gives to its device: `is_physical` says that it is not.
    """

    pid: int | None = None
    rank: int | None = None
    world: int | None = None
    device: int | None = None
    is_physical: bool = False
    host: str | None = None


class Said(NamedTuple):
    """All that both ends of a log say. `writers` are the pids in the headers of its lines.

    `source` is who wrote it by the looks of its first lines: None where it does not look like a log at all. `begun` and
    `ended` are the times of the first and the last line that has one, in seconds since the epoch.
    """

    source: Source | None = None
    is_text: bool = False
    writers: frozenset[int] = frozenset()
    sayings: frozenset[Saying] = frozenset()
    begun: float | None = None
    ended: float | None = None


def said_in(sample: Sample) -> Said:
    """What a log says of those who wrote it."""
    if b"\0" in sample.head[:_LONGEST]:
        return Said()
    first = sample.head.splitlines()[:_FIRST_LINES]
    last = (sample.tail or sample.head).splitlines()[-_FIRST_LINES:]
    told = [*_records(line for block in sample for line in _telling_lines(b"\n" + block))]
    return Said(
        _source([line for line in first if line.strip()]),
        bool(sample.head),
        frozenset(record.pid for record in told if record.pid is not None and record.pid > 0),
        frozenset(filter(_tells, chain(map(_saying, told), *map(_of_elastic, sample)))),
        _first_time(first),
        _first_time(reversed(last)),
    )


def _first_time(lines: Iterable[bytes]) -> float | None:
    return next((time for line in lines if (time := stamp_of(line)) is not None), None)


def _telling_lines(block: bytes) -> Iterator[bytes]:
    for text, pattern in _TELLING:
        if text not in block:
            continue
        seen: set[bytes] = set()
        for match in islice(pattern.finditer(block), _MOST_LOOKED_AT):
            if match[0] not in seen:
                seen.add(match[0])
                begin = block.rfind(b"\n", 0, match.start() + 1) + 1
                end = block.find(b"\n", begin)
                yield block[begin : end if end >= 0 else len(block)]


def _records(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        reader = Reader()
        yield from reader.feed(line[:_LONGEST])
        yield from reader.finish()


def _saying(record: Record) -> Saying:
    """What a line says: its prefix and header, the fields of a communicator, or a rank in its text."""
    fields = dict(_FIELD.findall(record.text)) if "rank[" in record.text else {}
    world = _number(fields.get("rankNum")) or _number(fields.get("ranks"))
    if world is not None and ("hcom init" in record.text or "SetupAgent" in record.text or "Entry-" in record.text):
        physical = _number(fields.get("phydevId"))
        own = [_number(fields.get(name)) for name in ("deviceLogicId", "logicDevId", "device")]
        device = physical if physical is not None else next((number for number in own if number is not None), None)
        server = fields.get("server", "").partition("%")[0]
        return Saying(
            record.pid,
            _number(fields.get("rank")),
            None if fields.get("identifier") == _WORLD_GROUP else world,
            device,
            physical is not None,
            server if _is_host(server) else None,
        )
    own_rank = _OWN_RANK.search(record.text)
    rank = record.rank if record.rank is not None else _number(own_rank[1]) if own_rank else None
    return Saying(record.pid, rank, device=record.device if record.module == "torch_npu" else None)


def _of_elastic(block: bytes) -> Iterator[Saying]:
    if b"local_rank:" in block:
        for host, rank, _local, pid in _ELASTIC.findall(block):
            yield Saying(int(pid[:10]), int(rank[:10]), host=host.decode("ascii", "replace"))


def _tells(saying: Saying) -> bool:
    return saying.rank is not None or saying.device is not None


def _source(lines: Sequence[bytes]) -> Source | None:
    """Who wrote a file by its first lines; None where none of them begins like a line of a log."""
    cann = list(filter(None, map(_CANN.match, lines)))
    if 2 * len(cann) > len(lines):
        on_device = sum(match[1] in _ON_DEVICE or match[2].startswith(b"-") for match in cann)
        return Source.DEVICE if 2 * on_device > len(cann) else Source.PLOG
    if 2 * sum(_OF_HOST.match(line) is not None for line in lines) > len(lines):
        return Source.HOST
    if any(stamp_of(line) is not None or level_of(line) is not None for line in lines):
        return Source.STDOUT
    return None


def _is_host(server: str) -> bool:
    return bool(server) and "*" not in server


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 10 else None
