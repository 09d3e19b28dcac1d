"""Error lines of torch_npu, and the blocks with an error code that CANN reports through any framework.

facts/logs.md, section 4. Codes: `EZ9999: text`, `EZ9999: [PID: 7] stamp text`, `E39999[PID: 7] stamp (E39999): text`,
and in newer CANN `[PID: 7] stamp Name_Of_Error(EJ0003): text`.
"""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock, iso_time
from launcher.logs.grammar.header import Block, Grammar, Header, known, level_named, whole_number
from launcher.logs.record import Level

_STAMP = r"(\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d)((?:\.\d+)*)"
_ERROR_CODE = r"[EWI][A-Z0-9]\d{4}"

_TORCH = re.compile(rf"\[(\w+)\] {_STAMP} \(PID: ?(-?\d+), ?Device: ?(-?\d+), ?RankID: ?(-?\d+)\) ?", re.ASCII)
_CODE_FIRST = re.compile(
    rf"({_ERROR_CODE})(:|(?=\[PID)|(?=  )) ?(?:\[PID: ?([^\]]*)\] ?)?(?:{_STAMP})?\s*(?:\(\1\):\s*)?", re.ASCII
)
_CODE_LAST = re.compile(rf"\[PID: ?([^\]]*)\] {_STAMP} ?(?=\w[^()\[\]]*\(({_ERROR_CODE})\):)", re.ASCII)
_MORE = re.compile(r"\[Error\]: ")
_CODE_INSIDE = re.compile(rf"\b({_ERROR_CODE}): ", re.ASCII)


def code_in(text: str) -> str:
    """The error code that an exception names in its message, as in `RuntimeError: EZ9999: Inner Error!`, or ""."""
    inside = _CODE_INSIDE.search(text)
    return inside[1] if inside else ""


def _torch(match: re.Match[str], clock: Clock) -> Header:
    level, stamp, fraction, pid, device, rank = match.groups()
    return Header(
        match.string[match.end() :],
        iso_time(stamp, clock, fraction),
        level_named(level),
        "torch_npu",
        whole_number(pid),
        known(whole_number(rank)),
        known(whole_number(device)),
        block=Block.ERROR,
    )


def _code_first(match: re.Match[str], clock: Clock) -> Header:
    code, _colon, pid, stamp, fraction = match.groups()
    text = f"{code}: {match.string[match.end() :]}"
    when = iso_time(stamp, clock, fraction) if stamp else None
    return Header(text, when, level_named(code[0]), pid=whole_number(pid), code=code, block=Block.ERROR)


def _code_last(match: re.Match[str], clock: Clock) -> Header:
    pid, stamp, fraction, code = match.groups()
    text = match.string[match.end() :]
    when = iso_time(stamp, clock, fraction)
    return Header(text, when, level_named(code[0]), pid=whole_number(pid), code=code, block=Block.ERROR)


def _more(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string, None, Level.ERROR, block=Block.MORE)


GRAMMARS = (
    Grammar("[", "(PID:", _TORCH, _torch),
    Grammar("EWI", "", _CODE_FIRST, _code_first),
    Grammar("[", "[PID:", _CODE_LAST, _code_last),
    Grammar("[", "[Error]: ", _MORE, _more),
)

# Where such a line begins inside another.
GLUED = r"\[(?:ERROR|WARNING|INFO)\] \d{4}-\d\d-\d\d-\d\d:\d\d:\d\d \(PID:"
