"""What the options of `npu-launch logs` ask for, as values."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from launcher.cli.log_text import Collapsed, Form, Json, Labelled, Labels, Raw
from launcher.cli.moments import parse_moment
from launcher.cli.wording import parse_ranks
from launcher.errors import UsageError
from launcher.logs.choice import Choice
from launcher.logs.record import Level, Source
from launcher.logs.selection import Selection

if TYPE_CHECKING:
    from launcher.runs.state import RunState

_EVERY_SOURCE = "all"
_Member = TypeVar("_Member", bound=Enum)


def choice_of(state: RunState, source: str, rank: str | None, host: str | None) -> Choice:
    """Which logs. Raises UsageError for names that the run does not know."""
    words = _words(source)
    sources = {Source(member) for member in Source} if _EVERY_SOURCE in words else set()
    sources |= {_named(word, {each.value: each for each in Source}, "--source") for word in words - {_EVERY_SOURCE}}
    hosts = None if host is None else frozenset(_words(host))
    for name in sorted((hosts or frozenset()) - set(state.hosts)):
        raise UsageError(f"the run has no host '{name}'", where="--host", expected=f"of {', '.join(state.hosts)}")
    ranks = None if rank is None else frozenset(parse_ranks(rank, state.world_size))
    return Choice(frozenset(sources), ranks, hosts)


def selection_of(grep: str | None, level: str | None, since: str | None, until: str | None) -> Selection:
    """Which lines. Raises UsageError for what is no regular expression, level or time."""
    search = None
    if grep is not None:
        from launcher.logs.pattern import Pattern
        from launcher.logs.search import Search

        try:
            search = Search([Pattern(grep, literal=False)])
        except re.error as error:
            raise UsageError(
                f"'{grep}' is no regular expression: {error}", where="--grep", expected="one of Python's `re`"
            ) from None
    return Selection(
        search,
        None if level is None else _named(level.lower(), {each.name.lower(): each for each in Level}, "--level"),
        None if since is None else parse_moment(since, "--since"),
        None if until is None else parse_moment(until, "--until"),
    )


def form_of(labels: Labels, *, raw: bool, as_json: bool, collapse: bool) -> Form[Any]:
    """How lines are shown. Raises UsageError when more than one way is asked for."""
    if raw + as_json + collapse > 1:
        raise UsageError("--raw, --json and --collapse exclude each other", expected="one of them")
    if raw:
        return Raw()
    if as_json:
        return Json()
    return Collapsed(labels) if collapse else Labelled(labels)


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")}


def _named(word: str, members: dict[str, _Member], option: str) -> _Member:
    if word not in members:
        raise UsageError(f"'{word}' is none", where=option, expected=f"of {', '.join(members)}")
    return members[word]
