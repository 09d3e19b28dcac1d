"""Tracebacks and last words of Python, and of processes that die of something else."""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock
from launcher.logs.grammar.header import Block, Grammar, Header, level_named
from launcher.logs.grammar.torch_npu import code_in
from launcher.logs.record import Level

_TRACEBACK = re.compile(r"Traceback \(most recent call last\):|\s*File \"[^\"]+\", line \d+", re.ASCII)
_EXCEPTION = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Z]\w+?(Error|Exception|Warning|Interrupt|Exit|Exceeded|Failed|NotFound)(?:_\w+)?"
    r"(?::(?: |$)|$)",
    re.ASCII,
)
_WARNING = re.compile(r"(\S+\.py:\d+): (\w*Warning):(?: |$)", re.ASCII)
_CRASH = re.compile(
    r"Fatal Python error: |Segmentation fault|Aborted(?: \(|$)|Bus error|Killed$|Illegal instruction|"
    r"Floating point exception|terminate called |\*\*\* (?:SIG|Aborted)"
)
_STACK = re.compile(r"(?:Current t|T)hread 0x[0-9a-f]+ .*\(most recent call first\)", re.ASCII)
# Only a level, as in `[ERROR] text`, `ERROR: text`.
_LEVEL = re.compile(r"\[(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\]:? *|(?:(ERROR|WARNING|Warning|INFO|DEBUG): )")


def _traceback(match: re.Match[str], _clock: Clock) -> Header:
    block = Block.TRACEBACK if match.string[0] == "T" else Block.FRAME
    return Header(match.string, None, Level.ERROR, block=block)


def _exception(match: re.Match[str], _clock: Clock) -> Header:
    level = Level.WARNING if match[1] == "Warning" else Level.ERROR
    return Header(match.string, None, level, code=code_in(match.string), block=Block.EXCEPTION)


def _warning(match: re.Match[str], _clock: Clock) -> Header:
    place, kind = match.groups()
    return Header(f"{kind}: {match.string[match.end() :]}", None, Level.WARNING, place=place)


def _crash(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string, None, Level.CRITICAL, block=Block.CRASH)


def _stack(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string, block=Block.STACK)


def _level(match: re.Match[str], _clock: Clock) -> Header:
    level = level_named(match[1] or match[2])
    text = match.string[match.end() :]
    return Header(text, None, level, code=code_in(text))


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

GRAMMARS = (
    Grammar("T F", "", _TRACEBACK, _traceback),
    Grammar(_LETTERS, "", _CRASH, _crash),
    Grammar("TC", "hread 0x", _STACK, _stack),
    Grammar("*", "***", _CRASH, _crash),
    Grammar(_LETTERS, "", _EXCEPTION, _exception),
    Grammar("/<" + _LETTERS, "Warning:", _WARNING, _warning),
    Grammar("[EWID", "", _LEVEL, _level),
)
