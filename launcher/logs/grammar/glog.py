"""glog and what is like it: c10 and torch elastic, TensorFlow, Paddle Lite."""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock, dated_time, iso_time
from launcher.logs.grammar.header import Grammar, Header, level_named, whole_number

# `E0903 07:21:23.263967 4711 file.cc:42] text`, since glog 0.5 with the year before the month;
# c10: `[E903 07:21:23.263967695 file.cpp:42] text`.
_DATED = re.compile(
    r"\[?([DIWEF])(\d{4})?(\d{1,2})(\d\d) (\d\d:\d\d:\d\d)(\.\d+)\s+(?:(\d+)\s+)?([^\s\]]+:\d+)\] ?", re.ASCII
)
# c10 before torch 2.2 says no time, and Ascend's own builds have lost the bracket at times: `[W socket.cpp:426] text`.
_UNDATED = re.compile(r"\[?([DIWEF])\s+([^\s\]]+\.\w+:\d+)\] ?", re.ASCII)
# `2022-08-10 16:18:39.920619: I tf_adapter/kernels/geop_npu.cc:805] text`
_TENSORFLOW = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+): ([DIWEF]) ([^\s\]]+:\d+)\] ?", re.ASCII)
# `[W  1/ 2  7:47:58.861 .../utility.cc:57 Function] text`
_PADDLE = re.compile(
    r"\[([DIWEF]) +(\d{1,2})/ ?(\d{1,2}) +(\d{1,2}:\d\d:\d\d)(\.\d+) (\S+:\d+)(?: [\w~]+)?\] ?", re.ASCII
)


def _dated(match: re.Match[str], clock: Clock) -> Header:
    level, year, month, day, clock_time, fraction, thread, place = match.groups()
    when = dated_time(month, day, clock_time, clock, fraction, year or "")
    bracketed = match.string.startswith("[")
    pid = None if bracketed else whole_number(thread)
    return Header(match.string[match.end() :], when, level_named(level), pid=pid, place=place)


def _undated(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string[match.end() :], None, level_named(match[1]), place=match[2])


def _tensorflow(match: re.Match[str], clock: Clock) -> Header:
    stamp, fraction, level, place = match.groups()
    return Header(match.string[match.end() :], iso_time(stamp, clock, fraction), level_named(level), place=place)


def _paddle(match: re.Match[str], clock: Clock) -> Header:
    level, month, day, clock_time, fraction, place = match.groups()
    when = dated_time(month, day, clock_time, clock, fraction)
    return Header(match.string[match.end() :], when, level_named(level), place=place)


GRAMMARS = (
    Grammar("[DIWEF", "]", _DATED, _dated),
    Grammar("12", ": ", _TENSORFLOW, _tensorflow),
    Grammar("[", "/", _PADDLE, _paddle),
    Grammar("[DIWEF", "]", _UNDATED, _undated),
)

# Where a line of these begins inside another.
GLUED = r"\[[DIWEF]\d{3,4} \d\d:\d\d:\d\d\.\d+ |\[[DIWEF] [\w/.-]+\.\w+:\d+\] "
