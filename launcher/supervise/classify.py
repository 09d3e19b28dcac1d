"""What kind of failure a rank's exit was, judged by how it ended and by the last lines of its log."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from launcher.logs.safe import safe_line
from launcher.runs.events import Cause
from launcher.runs.state import Exit

LINES = 200  # the last of a log, where the reason for an end stands
_WIDTH = 300


def _codes(*codes: str) -> str:
    """A line with one of these return codes that speaks of an error: a step or a loss can have the same digits."""
    return rf"^(?=.*(?i:err|fail|ret|result|code)).*(?<![\w.])({'|'.join(codes)})(?!\w|\.\d)"


# The last line that has one of these forms counts. Codes of Ascend: facts/error_codes.md and error_codes_num.md.
_CAUSES = (
    (Cause.DEVICE, re.compile(_codes("507053", "507054", "507010", "507901") + r"|Device lost heartbe")),
    (Cause.DEVICE, re.compile(r"multi-bit ECC|\bUCE (error|fault)")),
    (Cause.MEMORY, re.compile(r"\b(EI0011|EL0004|EL0019)\b|[Oo]ut of [Mm]emory|OutOfMemoryError")),
    (Cause.MEMORY, re.compile(_codes("207001", "207018"))),
    (Cause.MEMORY, re.compile(r"^MemoryError\b|std::bad_alloc|Cannot allocate memory|Unable to allocate .* array")),
    (Cause.INFRASTRUCTURE, re.compile(r"\b(EI0002|EI0006)\b|Connection (reset by peer|refused|timed out)")),
    (Cause.INFRASTRUCTURE, re.compile(_codes("507046"))),
)

# Only before the first step: later, a module that cannot be imported is one that training itself asked for.
_STARTUP = re.compile(
    r"^\s*(ModuleNotFoundError|ImportError|SyntaxError|IndentationError|TabError): "
    r"|can't open file .*: \[Errno \d+\]|: (No such file or directory|command not found)$"
    r"|error: (unrecognized arguments|argument \S+|the following arguments are required|ambiguous option)"
    r"|^Error: (No such option|Missing (option|argument|parameter)|Invalid value)"
)
_EXCEPTION = 1  # Python's, for an exception that nobody caught
_USAGE = 2  # argparse's, click's and bash's, for arguments that they do not understand
_NOT_EXECUTED = (126, 127)  # a shell's: found but not executable, not found
_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


@dataclass(frozen=True)
class Finding:
    """The class of a failure, whether training had never begun, and what shows it."""

    cause: Cause
    startup: bool = False
    evidence: str | None = None


def classify(exit: Exit, last_lines: Sequence[bytes], *, trained: bool) -> Finding:
    """What kind of failure it was; `trained` says whether a step had been done in the attempt.

    A startup failure is one that the next start would meet again: there is no point in restarting. A rank that a signal
    from outside ended is infrastructure's: somebody, or something, killed it.
    """
    if exit.error is not None:
        return Finding(Cause.USER, startup=True, evidence=exit.error)
    if exit.oom is not None:
        return Finding(Cause.MEMORY, evidence=exit.oom)
    if -exit.code in _OUTSIDE:
        return Finding(Cause.INFRASTRUCTURE, evidence=str(exit))
    lines = [safe_line(line, _WIDTH) for line in last_lines[-LINES:]]
    if not trained and (finding := _startup(exit, lines)) is not None:
        return finding
    for line in reversed(lines):
        for cause, pattern in _CAUSES:
            if pattern.search(line):
                return Finding(cause, evidence=line)
    return Finding(Cause.USER, evidence=next((line for line in reversed(lines) if line.strip()), None))


def _startup(exit: Exit, lines: Sequence[str]) -> Finding | None:
    if exit.code in (_EXCEPTION, _USAGE, *_NOT_EXECUTED):
        for line in reversed(lines):
            if _STARTUP.search(line):
                return Finding(Cause.USER, startup=True, evidence=line)
    if exit.code in _NOT_EXECUTED:
        return Finding(Cause.USER, startup=True, evidence=str(exit))
    return None
