"""What the beginning of a line says about its message, and the form of a grammar that reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from launcher.logs.grammar.clock import Clock
from launcher.logs.record import Level

_BY_NAME = {
    Level.DEBUG: ("DEBUG", "NOTSET"),
    Level.INFO: ("INFO", "EVENT", "TRACE", "NOTICE", "SUCCESS", "OPER"),
    Level.WARNING: ("WARNING", "WARN"),
    Level.ERROR: ("ERROR", "ERR"),
    Level.CRITICAL: ("CRITICAL", "FATAL", "EXCEPTION", "PANIC", "EMERG", "ALERT", "CRIT"),
}
_LEVELS = {name: level for level, names in _BY_NAME.items() for name in names}
_LEVELS.update({"D": Level.DEBUG, "I": Level.INFO, "W": Level.WARNING, "E": Level.ERROR, "F": Level.CRITICAL})

# The words that a line may give its level with, for use inside a regular expression; longer ones come first.
LEVEL_WORDS = "|".join(sorted((name for name in _LEVELS if len(name) > 2), key=len, reverse=True))


def level_named(name: str) -> Level | None:
    """The level that a program calls so, in capitals or not; MindSpore's `V20000` is DEBUG; None for other words."""
    level = _LEVELS.get(name) or _LEVELS.get(name.upper())
    return Level.DEBUG if level is None and name[:1] == "V" and name[1:].isdigit() else level


class Block(Enum):
    """What kind of message is open, and so what may follow (see `joining`)."""

    LINE = "line"  # no report of trouble: only what is indented goes on with it
    TRACEBACK = "traceback"  # frames, and no exception yet
    FRAME = "frame"  # a frame of a traceback
    SOURCE = "source"  # after a frame without indentation: the next line is its source
    EXCEPTION = "exception"  # an exception and its message
    CHAINED = "chained"  # after "During handling of the above exception": another traceback follows
    ERROR = "error"  # a warning or an error of anybody
    MORE = "more"  # what torch_npu says further of an error
    SECTION = "section"  # below a title of a report of MindSpore
    CRASH = "crash"  # what a process said when it died
    STACK = "stack"  # stacks of threads, the most recent call first


class Header(NamedTuple):
    """What a line's beginning said. `block` is the kind of block that the line begins, None for none.

    `code` is an Ascend error code; lines of the same code that follow one another are one message. `logged` is what a
    logger wrote before the text: it writes the same before every line of one message.
    """

    text: str
    time: float | None = None
    level: Level | None = None
    module: str = ""
    pid: int | None = None
    rank: int | None = None
    device: int | None = None
    place: str = ""
    code: str = ""
    block: Block | None = None
    logged: str = ""


class Grammar(NamedTuple):
    """One form of header: `pattern` is tried at the beginning of lines that start with one of `first`.

    `marker` is a text that all such lines hold, looked for first because that is quick. `read` makes the header of a
    match, or None where the line only looks like it.
    """

    first: str
    marker: str
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str], Clock], Header | None]


def whole_number(text: str | None) -> int | None:
    """The number that a field holds; None for one that is missing or masked ("xxx")."""
    try:
        return int(text) if text and len(text) < 19 else None
    except ValueError:
        return None


def known(number: int | None) -> int | None:
    """A rank or device; None where the line says -1, which is that it knows none."""
    return None if number is not None and number < 0 else number
