"""The verdict on a run as part of its summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from launcher.cli.sweeps import combination_words
from launcher.cli.verdict_text import Fact, cascade_words, cause_facts, fix_facts, retry_facts
from launcher.cli.verdict_words import Lang, words
from launcher.cli.view import RunView
from launcher.diagnose.verdict import Verdict
from launcher.logs.safe import safe_line
from launcher.runs.state import RankState

_FIXES: Final = 2
_LESS_WANTED: Final = ("metrics", "weights", "values", "means", "trouble", "fault", "reason", "steps")
"""What a summary does without first, where it would be too long."""


def verdict_of(view: RunView) -> Verdict | None:
    """What is known of why a run ended badly; None where no fault was found, which then is no news."""
    return None if view.verdict is None or view.verdict.healthy else view.verdict


def diagnosed_facts(view: RunView, found: Verdict, others: str, lang: Lang = Lang.EN) -> Iterator[Fact]:
    """The cause with the line that shows it, what became of the others, what mends it, and whether to try again.

    `others` says how ranks ended that say nothing about it.
    """
    said = words(lang)
    for number, (label, text) in enumerate(cause_facts(found, said)):
        yield label, text if number else text + _of_the_root(view, found)
    parts = [*cascade_words(found, said), *([others] if others else [])]
    if parts:
        yield "others", ", ".join(parts)
    yield from fix_facts(found, said, view.id, _FIXES)
    yield from retry_facts(found, said)


def unsaid(ranks: Sequence[int], found: Verdict | None, first: RankState) -> list[int]:
    """Of these ranks those that no verdict has named."""
    named: set[int | None] = {first.rank} if found is None else {follower.rank for follower in found.cascade}
    if found is not None and found.root is not None:
        named.add(found.root.rank)
    return [rank for rank in ranks if rank not in named]


def fixed_facts(view: RunView) -> Iterator[Fact]:
    """The changes that the run made by itself."""
    fixed = [each for each in view.state.attempts if each.answer_to is not None and each.answer_to.fix is not None]
    for number, attempt in enumerate(fixed[-_FIXES:]):
        assert attempt.answer_to is not None
        yield "" if number else "fixed", safe_line(f"attempt {attempt.number}: {attempt.answer_to.reason}", 300)


def at_most(facts: Sequence[Fact], most: int) -> list[Fact]:
    """So many of them, without those that are wanted least."""
    left = list(facts)
    for label in _LESS_WANTED:
        if len(left) <= most:
            break
        left = [fact for fact in left if fact[0] != label]
    return left[:most]


def _of_the_root(view: RunView, found: Verdict) -> str:
    """What it had of a sweep, and how its process ended, as far as that is known."""
    rank = None if found.root is None or found.root.rank is None else view.state.ranks.get(found.root.rank)
    if rank is None:
        return ""
    parts = (combination_words(view, rank.rank), "" if rank.exit is None else safe_line(str(rank.exit), 100))
    return "".join(f"  ({part})" for part in parts if part)
