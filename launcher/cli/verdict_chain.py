"""A verdict with all that led to it: findings, what was dropped and why, who followed, every suggestion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from launcher.cli.verdict_text import amount_words, cause_facts, labelled, line_words, place_words, retry_facts
from launcher.cli.verdict_words import Words
from launcher.cli.wording import ranks_phrase
from launcher.diagnose.verdict import Place, Proposed, Verdict
from launcher.logs.safe import safe_line

_FINDINGS: Final = 200
_WIDTH: Final = 300


def chain(found: Verdict, words: Words) -> Iterator[str]:
    """The lines, in sections."""
    yield from labelled([*cause_facts(found, words), *retry_facts(found, words)], words)
    if found.why:
        yield from labelled([("order", safe_line(found.why, _WIDTH))], words)
    if explanation := words.chosen(found.explanation, found.explanation_zh):
        yield from labelled([("explained", safe_line(explanation, 2 * _WIDTH))], words)
    for heading, lines in (
        ("findings", _findings(found, words)),
        ("considered", _considered(found, words)),
        ("cascade", _cascade(found, words)),
        ("suggestions", (line for each in found.suggestions for line in _suggestion(each, words))),
        ("notes", (safe_line(note, _WIDTH) for note in found.notes)),
    ):
        shown = list(lines)
        if shown:
            yield f"{words.label(heading)}:"
            yield from (f"  {line}" for line in shown)
    yield from labelled([("read", amount_words(found.counts, words))], words)


def _findings(found: Verdict, words: Words) -> Iterator[str]:
    for each in found.findings[:_FINDINGS]:
        place = place_words(Place(rank=each.rank, host=each.host, device=each.device), words)
        rule = f"{each.cause}  {each.role}  {each.confidence}  ({each.rule})"
        yield "  ".join(filter(None, (place, safe_line(rule))))
        yield from (f"    {line_words(line, None)}" for line in each.evidence)
        if each.extracted:
            read = ", ".join(f"{name} {value}" for name, value in each.extracted.items())
            yield f"    {safe_line(read, _WIDTH)}"
    if (hidden := len(found.findings) - _FINDINGS) > 0:
        yield words.more_fixes.format(hidden).replace("--explain", "--json")


def _considered(found: Verdict, words: Words) -> Iterator[str]:
    for each in found.considered:
        place = place_words(Place(rank=each.rank, host=each.host, device=None), words)
        yield "  ".join(filter(None, (place, safe_line(f"{each.cause}: {each.why}", _WIDTH))))
        if each.evidence is not None:
            yield f"    {line_words(each.evidence, None)}"


def _cascade(found: Verdict, words: Words) -> Iterator[str]:
    of: defaultdict[str, list[int | None]] = defaultdict(list)
    for follower in found.cascade:
        of[follower.cause].append(follower.rank)
    for cause, ranks in of.items():
        known = [rank for rank in ranks if rank is not None]
        who = ranks_phrase(known) if len(known) == len(ranks) else words.so_many_ranks(len(ranks))
        yield safe_line(f"{who}  {cause}", _WIDTH)


def _suggestion(each: Proposed, words: Words) -> Iterator[str]:
    yield safe_line(f"{each.number}  {words.chosen(each.title, each.title_zh)}", _WIDTH)
    change = each.words or ", ".join(f"{key}: {value}" for key, value in each.change.items())
    yield safe_line(f"   {each.kind}  {change}", _WIDTH)
    yield safe_line(f"   {words.chosen(each.why, each.why_zh)}", _WIDTH)
    if each.refused:
        yield safe_line(f"   --fix {each.number}: {each.refused}", _WIDTH)
