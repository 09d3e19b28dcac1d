"""What the kinds of lines in lines.py tell: from a match of a kind's pattern to facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from launcher.diagnose.root.facts import (
    Connected,
    Ended,
    Fact,
    Limit,
    Member,
    Node,
    Operation,
    Place,
    Plight,
    Seen,
    Stage,
    Suspect,
    Tls,
    Wait,
)

NOBODY: Final = 4294967295
"""What HCCL prints for a rank that it does not know."""

_PLIGHTS: Final = {"LOST": Plight.LOST, "STUCK": Plight.STUCK, "ERROR CQE": Plight.CQE}
_OCCURRED: Final = {"heartbeat lost": Plight.LOST, "stuck": Plight.STUCK, "error cqe": Plight.CQE}
_IN_LIST: Final = re.compile(r"[\[,;] *([^\]\[/\s,;]+)/(\d+)")
_PADDED: Final = re.compile(r"\[(\d{1,20})\]")


def field(text: str, name: str) -> str | None:
    """The value of `name[value]` or `name:[value]` in a line of HCCL."""
    match = re.search(rf"(?<![\w]){re.escape(name)}:? ?\[([^\]\[]*)\]", text)
    return match[1].strip() if match else None


def number(text: str | None) -> int | None:
    """The first number in a text; None where there is none, or the one that stands for nobody."""
    match = re.match(r"\s*(\d{1,12})\b", text) if text else None
    return int(match[1]) if match and int(match[1]) != NOBODY else None


def node(text: str | None) -> Node | None:
    """A place as HCCL writes it: `127.10.0.1/3`, `127.10.0.1%eth0/3`."""
    address, slash, device = (text or "").strip("[] ").rpartition("/")
    return Node(address.partition("%")[0], int(device)) if slash and device.isdecimal() else None


def member(match: re.Match[str], text: str, seen: Seen) -> Iterator[Fact]:
    size = number(match["size"])
    rank = number(match["rank"])
    if not size or rank is None or rank >= size or "destroy" in text:
        return
    server = (field(text, "server") or "").partition("%")[0]
    device = number(field(text, "phydevId")) if server else None
    place = Node(server, device) if device is not None and "*" not in server else None
    name = field(text, "identifier") or field(text, "group") or _bracketed_group(text)
    yield Member(seen, name or f"of {size}", size, rank, "success" in text, place)


def _bracketed_group(text: str) -> str | None:
    match = re.search(r"\[(hccl_world_group|[\w.-]*group[\w.-]*)\]", text)
    return match[1] if match else None


def notify(match: re.Match[str], text: str, seen: Seen) -> Iterator[Fact]:
    group = field(text, "group")
    stage = Stage.COPY if "EI0012" in text or "Memcpy" in text else Stage.NOTIFY
    yield Wait(seen, stage, number(match["peer"]), number(field(text, "rankId")), group or None)
    if tag := field(text, "tag"):
        yield Operation(seen, group or None, number(field(text, "rankSize")), number(field(text, "rankId")), tag)


def link(match: re.Match[str], text: str, seen: Seen) -> Iterator[Fact]:
    own = re.search(r"local_?[Uu]ser_?rank\[(\d+)\]", text) or re.search(r"para: ?rank\[(\d+)\]", text)
    peer = re.search(r"remote_?[Uu]ser_?rank\[(\d+)\]", text)
    yield Wait(seen, Stage.LINK, number(peer[1] if peer else match["peer"]), number(own[1]) if own else None)


def row(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Wait(seen, Stage.LINK, number(match["peer"]), number(match["own"]))
    if match["tls"]:
        yield Tls(seen, match["tls"].upper() == "ENABLE")


def socket(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Wait(seen, Stage.LINK, None, number(match["own"]), limit=float(match["limit"]))


def waited(_match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Wait(seen, Stage.NOTIFY, None)


def no_socket(_match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Wait(seen, Stage.LINK, None)


def root(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    peer = 0 if match["side"] == "agent" else None  # an agent waits for the root's server, the server for anybody
    yield Wait(seen, Stage.ROOT, peer, limit=float(match["limit"]) if match["limit"] else None)


def operation(_match: re.Match[str], text: str, seen: Seen) -> Iterator[Fact]:
    group = field(text, "group")
    dtype = field(text, "dataType")
    own = number(field(text, "rankId"))
    index, count = number(field(text, "index")), number(field(text, "count"))
    size = number(field(text, "rankSize"))
    yield Operation(seen, group or None, size, own, field(text, "tag"), index, count, dtype)
    if "[Timeout]" in text:
        yield Wait(seen, Stage.NOTIFY, None, own, group or None)


def watchdog(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    rank = number(match["rank"])
    seen = seen if rank is None else seen._replace(rank=rank)
    yield Wait(seen, Stage.NOTIFY, None)
    yield Operation(seen, tag=match["op"], sequence=number(match["index"]))


def beat(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Suspect(seen, _PLIGHTS[match["status"]], node(match["whom"]), by=node(match["by"]))
    if own := node(match["own"]):
        yield Place(seen, own)


def location(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    plight = next((each for words, each in _OCCURRED.items() if words in match["what"].lower()), None)
    if plight is not None:
        yield Suspect(seen, plight, node(match["whom"]), by=node(match["by"]))


def cqe(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    device = match["device"].rpartition("/")[2]
    if device.isdecimal():
        yield Suspect(seen, Plight.CQE, Node(match["server"], int(device)))


def timed_out(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    for each in re.findall(r"\d+", match["nodes"]):
        yield Suspect(seen, Plight.LOST, rank=int(each))


def connected(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Connected(seen, tuple(int(each) for each in _PADDED.findall(match["ranks"])))


def wanted(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Connected(seen, wanted=number(match["wanted"]))


def tls_lists(_match: re.Match[str], text: str, seen: Seen) -> Iterator[Fact]:
    for word, enabled in (("enabled", True), ("disabled", False)):
        listed = text.partition(f"for {word} tls:")[2].partition("rankList")[0]
        yield Tls(seen, enabled, tuple(Node(address, int(device)) for address, device in _IN_LIST.findall(listed)))


def tls_switch(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Tls(seen, match["value"] == "1")


def limit(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Limit(seen, match["variable"], float(match["seconds"]))


def elastic(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Ended(seen, int(match["code"]), local_rank=number(match["local"]), pid=number(match["pid"]))


def mpi(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    yield Ended(
        seen, -int(match["signal"]), number(match["rank"]), pid=number(match["pid"]) or None, host=match["host"]
    )


def slurm(match: re.Match[str], _text: str, seen: Seen) -> Iterator[Fact]:
    code = int(match["code"]) if match["code"] else -9
    yield Ended(seen, code, number(match["rank"]), host=match["host"])
