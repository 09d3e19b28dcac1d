"""The messages that share one physical line: glued together, or overwriting one another with carriage returns."""

from __future__ import annotations

import re

from launcher.logs.decoding import decoded
from launcher.logs.grammar import ascend, glog, python_logging, torch_npu
from launcher.logs.grammar.prefixes import PREFIX
from launcher.logs.safe import safe_line

# Headers that never stand inside a message, and prefixes in the middle of a line.
_GLUED = re.compile(
    rf"{ascend.GLUED}|{torch_npu.GLUED}|{glog.GLUED}|{python_logging.GLUED}"
    r"|\[rank\d+\]:|\([A-Za-z_][\w ]* pid=\d+(?:, ip=[^)\s]*)?\) (?=[A-Z\[])"
    r"|(?<=(?:it/s|s/it)\])(?=\S)",
    re.ASCII,
)

# How those that begin with a bracket begin: what to look for first, as it is quick.
_BRACKET = re.compile(r"\[(?:rank\d|[DIWEF](?:\d{3,4} \d\d:| [\w/])|[A-Z]{4,9}\] ?(?:\w+\(-?\d|\d{4}-))", re.ASCII)

# A logger's header: another's behind it is passed on, and not glued.
_LOGGER = re.compile(r"[A-Z]+ \d\d-\d\d \d\d:\d\d:\d\d \[?[\w./-]+:\d+\]|\{\"log\":\"|\s+", re.ASCII)

_PROGRESS = re.compile(r"\d%\||\d ?%|\d+/\d+|it/s|s/it|\d ?[kKMG]?i?B/s|[█#=>]{3}")
_NOT_LETTERS = re.compile(r"[^A-Za-z]+")


def messages_in(line: bytes) -> list[str]:
    """The texts of the messages of one line, harmless for a terminal; one for nearly every line, blank for a blank one.

    Of the states of a progress bar the last remains. What is no state of the same bar stays, though a terminal would
    not show it any more.
    """
    text = decoded(line)
    if not text.isprintable():
        if "\r" in text.rstrip("\r\n"):
            return [part for state in _last_states(text) for part in _unglued(safe_line(state))]
        text = safe_line(text)
    return _unglued(text)


def _last_states(text: str) -> list[str]:
    kept: list[str] = []
    for state in re.split(r"[\r\n]+", text):
        if not state.strip():
            continue
        if kept and _overwrites(state, kept[-1]):
            kept[-1] = state
        else:
            kept.append(state)
    return kept or [""]


def _overwrites(state: str, before: str) -> bool:
    """Whether two texts are states of one progress bar."""
    if not _PROGRESS.search(before):
        return False
    return bool(_PROGRESS.search(state)) and _NOT_LETTERS.sub("", before)[:8] == _NOT_LETTERS.sub("", state)[:8]


def _unglued(text: str) -> list[str]:
    if not _may_be_glued(text):
        return [text]
    parts = []
    begin = 0
    for match in _GLUED.finditer(text, 1):
        if not _is_passed_on(text, begin, match.start()):
            parts.append(text[begin : match.start()])
            begin = match.start()
    parts.append(text[begin:])
    return parts


def _may_be_glued(text: str) -> bool:
    """A quick look that finds all that `_GLUED` does, and little else."""
    if _BRACKET.search(text, 1) or "it/s]" in text or "s/it]" in text or text.rfind(" pid=") > text.find(")"):
        return True
    place = text.find(".py:")  # of a logger, which most such lines begin with
    return place >= 0 and (text[0] not in "[(DIWEC" or text.find(".py:", place + 1) >= 0)


def _is_passed_on(text: str, begin: int, end: int) -> bool:
    """Whether nothing but prefixes and a logger's header stands between two places of a line."""
    while begin < end and (match := PREFIX.match(text, begin) or _LOGGER.match(text, begin)) is not None:
        begin = match.end()
    return begin >= end
