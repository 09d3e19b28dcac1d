"""What kind of failure a rank's exit was, judged by how it ended and by the last lines of its log."""

from __future__ import annotations

import errno
import os
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

# A failure that the next start would meet again ends a log with one of these, and so does a shell or Python itself.
_TRACEBACK = "Traceback (most recent call last)"
_EXCEPTIONS = re.compile(r"^(ModuleNotFoundError|ImportError|SyntaxError|IndentationError|TabError): ")
_SYNTAX = re.compile(r"^(SyntaxError|IndentationError|TabError): ")  # of the script itself: it has no traceback
_SYNTAX_PLACE = re.compile(r'^  File ".*", line \d+$')
_SYNTAX_LINES = 3  # above it: where it is, the line, and a mark below that
_MISUSE = re.compile(
    r"can't open file .*: \[Errno \d+\]|: (No such file or directory|command not found)$"
    r"|error: (unrecognized arguments|argument \S+|the following arguments are required|ambiguous option)"
    r"|^Error: (No such option|Missing (option|argument|parameter)|Invalid value)"
)
# What the system says when it could do on another try what it cannot do now.
_FOR_NOW = tuple(
    os.strerror(code)
    for code in (
        errno.EAGAIN,
        errno.ENOMEM,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOSPC,
        errno.EIO,
        errno.ESTALE,
        errno.ETXTBSY,
        errno.ETIMEDOUT,
    )
)
_EXCEPTION = 1  # Python's, for an exception that nobody caught
_USAGE = 2  # argparse's, click's and bash's, for arguments that they do not understand
_NOT_EXECUTED = (126, 127)  # a shell's: found but not executable, not found
_SHELL_SIGNAL = 128  # and the number of the signal that ended what a shell ran
_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


@dataclass(frozen=True)
class Finding:
    """The class of a failure, whether training had never begun, and what shows it."""

    cause: Cause
    startup: bool = False
    evidence: str | None = None


def classify(exit: Exit, last_lines: Sequence[bytes], *, trained: bool) -> Finding:
    """What kind of failure it was; `trained` says whether any attempt of the run has told a step.

    A startup failure is one that the next start would meet again: there is no point in restarting. A rank that a signal
    from outside ended is infrastructure's: somebody, or something, killed it.
    """
    if exit.error is not None:
        if _is_for_now(exit.error):
            return Finding(Cause.INFRASTRUCTURE, evidence=exit.error)
        return Finding(Cause.USER, startup=True, evidence=exit.error)
    if exit.oom is not None:
        return Finding(Cause.MEMORY, evidence=exit.oom)
    if -exit.code in _OUTSIDE or exit.code - _SHELL_SIGNAL in _OUTSIDE:
        return Finding(Cause.INFRASTRUCTURE, evidence=str(exit))
    lines = [line for raw in last_lines[-LINES:] if (line := safe_line(raw, _WIDTH)).strip()]
    if exit.code in _NOT_EXECUTED and lines and _is_for_now(lines[-1]):
        return Finding(Cause.INFRASTRUCTURE, evidence=lines[-1])
    if not trained and (evidence := _startup(exit, lines)) is not None:
        return Finding(Cause.USER, startup=True, evidence=evidence)
    for line in reversed(lines):
        for cause, pattern in _CAUSES:
            if pattern.search(line):
                return Finding(cause, evidence=line)
    return Finding(Cause.USER, evidence=lines[-1] if lines else None)


def _startup(exit: Exit, lines: Sequence[str]) -> str | None:
    """What shows that the next start would fail in the same way; None when nothing does."""
    if exit.code == _EXCEPTION:
        raised = _uncaught(lines)
        return raised if raised is not None and _EXCEPTIONS.match(raised) and not _is_for_now(raised) else None
    last = lines[-1] if lines else ""
    if exit.code in (_USAGE, *_NOT_EXECUTED) and _MISUSE.search(last) and not _is_for_now(last):
        return last
    return str(exit) if exit.code in _NOT_EXECUTED else None


def _uncaught(lines: Sequence[str]) -> str | None:
    """The exception that Python ended with: the last line that is not indented, below the last traceback."""
    at = next((i for i in reversed(range(len(lines))) if not lines[i].startswith(" ")), 0)
    if any(_TRACEBACK in line for line in lines[:at]):
        return lines[at]
    above = lines[max(at - _SYNTAX_LINES, 0) : at]
    return lines[at] if any(map(_SYNTAX_PLACE.match, above)) and _SYNTAX.match(lines[at]) else None


def _is_for_now(words: str) -> bool:
    return any(word in words for word in _FOR_NOW)
