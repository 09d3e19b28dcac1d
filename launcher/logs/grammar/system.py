"""What a host's system writes: syslog (RFC 3164, RFC 5424, ISO stamps), and the kernel's ring buffer."""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock, dated_time, iso_time
from launcher.logs.grammar.header import Grammar, Header, level_named, whole_number
from launcher.logs.record import Level

# Severities of RFC 5424, table 2, from emergency to debug.
_SEVERITIES = (Level.CRITICAL,) * 3 + (Level.ERROR, Level.WARNING, Level.INFO, Level.INFO, Level.DEBUG)

_MONTH = r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TAG = r"([\w./@-]+)(?:\((?:[^)]*)\))?(?:\[(\d+)\])?: ?"
_ISO = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)"

# `<34>Sep 16 12:00:00 host sshd[7]: text`
_OLD = re.compile(rf"(?:<(\d{{1,3}})>)?{_MONTH} +(\d{{1,2}}) (\d\d:\d\d:\d\d) (?:\S+ )??{_TAG}", re.ASCII)
# `<34>1 2025-09-16T12:00:00.003Z host app 7 id [data] text`
_NEW = re.compile(rf"<(\d{{1,3}})>\d {_ISO} \S+ (\S+) (\S+) \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) ?(?:\ufeff)?", re.ASCII)
# `2025-09-16T12:00:00.003+08:00 host kernel: text`: rsyslog with its precise stamps.
_PRECISE = re.compile(rf"{_ISO} \S+ {_TAG}", re.ASCII)
# `<6>[ 2081.843939] text`, `kern  :err   : [ 2081.843939] text` (dmesg -x): seconds since the host started, no time.
_KERNEL = re.compile(r"(?:<(\d{1,3})>|\w+ *:(\w+) *: )?\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? ?", re.ASCII)
# `[Tue Sep 16 12:00:00 2025] text`: dmesg -T.
_KERNEL_TIMED = re.compile(
    rf"(?:\w+ *:(\w+) *: )?\[(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} +(\d{{1,2}}) (\d\d:\d\d:\d\d) (\d{{4}})\] ?",
    re.ASCII,
)
# The driver of the NPU says its level in the text, behind the kernel's stamp on the device.
_DRIVER = re.compile(r"(?:\[[\d.]+\] ?)?(?:\[ascend\] ?)?(?:\[\w+\] ?)??\[(EMERG|ERROR|WARN|INFO|DEBUG|EVENT)\]")


def _severity(priority: str | None) -> Level | None:
    return _SEVERITIES[int(priority) & 7] if priority else None


def _message(text: str, when: float | None, level: Level | None, module: str, pid: int | None) -> Header:
    """What a program said through syslog; the kernel's is looked at once more, for its own stamp and level."""
    if module == "kernel":
        stamp = _KERNEL.match(text)
        text = text[stamp.end() :] if stamp else text
        level = driver_level(text) or level
    return Header(text, when, level, module, pid)


def driver_level(text: str) -> Level | None:
    """The level that the NPU's driver wrote into a message of the kernel."""
    own = _DRIVER.match(text)
    return level_named(own[1]) if own else None


def _old(match: re.Match[str], clock: Clock) -> Header:
    priority, month, day, clock_time, module, pid = match.groups()
    when = dated_time(month, day, clock_time, clock)
    return _message(match.string[match.end() :], when, _severity(priority), module, whole_number(pid))


def _new(match: re.Match[str], clock: Clock) -> Header:
    priority, stamp, fraction, zone, module, pid = match.groups()
    when = iso_time(stamp, clock, fraction or "", zone)
    return _message(match.string[match.end() :], when, _severity(priority), module, whole_number(pid))


def _precise(match: re.Match[str], clock: Clock) -> Header:
    stamp, fraction, zone, module, pid = match.groups()
    when = iso_time(stamp, clock, fraction or "", zone)
    return _message(match.string[match.end() :], when, None, module, whole_number(pid))


def _kernel(match: re.Match[str], _clock: Clock) -> Header:
    text = match.string[match.end() :]
    level = _severity(match[1]) or (level_named(match[2]) if match[2] else None)
    return Header(text, None, driver_level(text) or level, "kernel")


def _kernel_timed(match: re.Match[str], clock: Clock) -> Header:
    named, month, day, clock_time, year = match.groups()
    text = match.string[match.end() :]
    level = driver_level(text) or (level_named(named) if named else None)
    return Header(text, dated_time(month, day, clock_time, clock, year=year), level, "kernel")


def _driver(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string, None, level_named(match[1]), "kernel")


GRAMMARS = (
    Grammar("<JFMASOND", ": ", _OLD, _old),
    Grammar("<", "T", _NEW, _new),
    Grammar("12", "T", _PRECISE, _precise),
    Grammar("[<kuds", "] ", _KERNEL, _kernel),
    Grammar("[kuds", "] ", _KERNEL_TIMED, _kernel_timed),
    Grammar("[", "[ascend]", _DRIVER, _driver),
)
