"""`[LEVEL] MODULE(pid,process):stamp [file:line] text`: CANN on host and device, and MindSpore in C++ and Python.

facts/logs.md, sections 2 and 3. They differ in the parentheses (CANN `pid,process`; MindSpore C++ `pid,tid,process`;
MindSpore Python `pid:tid,process`) and in how a thread is named after the place.
"""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock, iso_time
from launcher.logs.grammar.header import Grammar, Header, level_named, whole_number
from launcher.logs.grammar.system import driver_level

_ASCEND = re.compile(
    r"\[(\w+)\] ?(\w+)\(([^,:)]*)([^)]*)\): ?"
    r"([\dx]{4}-[\dx]{2}-[\dx]{2}-[\dx]{2}:[\dx]{2}:[\dx]{2})((?:[.][\dx]{3}){0,2})\s*"
    r"(?:\[status:\w+\] ?)?(?:\[([^\[\]\s]+:\d+)\])?"
    r"(?:\s*(?:\[(?:tid:)?\d+\])+|\s*\d+ (?=[\w:~<>]+ ?:|\()|tid:\d+,|\s*(?:>>> )?\(tid:\d+\))?[ ]?",
    re.ASCII,
)

# Where the device's task scheduler and IMP write what others write before the text.
_DEVICE_SIDE = re.compile(r"\((?:die_?id:|cpu_?id:|device_id:)[^)]*\)(?: (\w+\.c(?:c|pp)?:\d+))?", re.ASCII)
_DEVICE = re.compile(r"device_id:(\d+)", re.ASCII)


def _read(match: re.Match[str], clock: Clock) -> Header | None:
    level, module, pid, _others, stamp, fraction, place = match.groups()
    named = level_named(level)
    if named is None:
        return None
    text = match.string[match.end() :]
    device = None
    if place is None:
        place = ""
        if text[:1] == "(" and (side := _DEVICE_SIDE.match(text)) is not None:
            place = side[1] or ""
            if (number := _DEVICE.search(side[0])) is not None:
                device = whole_number(number[1])
    if module == "KERNEL":
        named = driver_level(text) or named
    return Header(text, iso_time(stamp, clock, fraction), named, module, whole_number(pid), None, device, place)


# A black box's history, the host driver's own stamps: `[2023-07-13-16:20:44.081811] text`.
_BRACKETED = re.compile(r"\[(\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d)([.\d]*)\] ?", re.ASCII)


def _read_bracketed(match: re.Match[str], clock: Clock) -> Header:
    text = match.string[match.end() :]
    return Header(text, iso_time(match[1], clock, match[2]), driver_level(text))


GRAMMARS = (
    Grammar("[", "(", _ASCEND, _read),
    Grammar("[", "-", _BRACKETED, _read_bracketed),
)

# Where a line of these begins inside another, because the writer of that did not end it.
GLUED = r"\[(?:DEBUG|INFO|WARNING|ERROR|EVENT|TRACE|CRITICAL|EXCEPTION)\] ?\w+\(-?\d+[,:][^()]*\): ?\d{4}-\d\d-\d\d-"
