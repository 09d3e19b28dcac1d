"""A verdict in a few lines: who broke first, the line that shows it, who followed, and what mends it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from launcher.cli.verdict_words import Words
from launcher.cli.wording import ranks_phrase
from launcher.diagnose.verdict import Amount, Line, Place, Proposed, Verdict
from launcher.logs.safe import safe_line

Fact = tuple[str, str]
"""A label, empty where it is the line above's, and a text."""

_WIDTH: Final = 200
_FIXES: Final = 3
_TELLING: Final = 3  # lines, where the cause is not known
_CASCADES: Final = 2
_COMMAND_AT: Final = 56  # cells after which the command of a fix stands
_STOPPED: Final = "stopped"  # what follows for a rank that npu-launch stopped
_WAITED: Final = ("timeout", "hccl_", "peer_")  # of causes: a rank that has one waited for another


def verdict_facts(found: Verdict, words: Words, run: str | None) -> Iterator[Fact]:
    """The whole verdict; `run` is whom its fixes can be applied to, None where there is no run."""
    yield from cause_facts(found, words)
    if parts := cascade_words(found, words):
        yield "others", ", ".join(parts)
    yield from fix_facts(found, words, run)
    yield from retry_facts(found, words)
    yield from (("note", safe_line(note, _WIDTH)) for note in found.notes[:1])
    if found.healthy:
        yield "read", amount_words(found.counts, words)


def cause_facts(found: Verdict, words: Words) -> Iterator[Fact]:
    """What broke first, and the lines that show it."""
    if found.healthy:
        yield "cause", words.no_fault
        return
    parts = [place_words(found.root, words) + _alternatives(found, words)]
    parts += (
        [safe_line(str(found.cause)), words.confidence[found.confidence or "low"]]
        if found.is_known
        else [words.unknown]
    )
    yield "cause", "  ".join(filter(None, parts))
    if found.is_known and (title := words.chosen(found.title, found.title_zh)):
        yield "means", safe_line(title, _WIDTH)
    for number, line in enumerate(found.evidence[: 1 if found.is_known else _TELLING]):
        yield "" if number else "line", line_words(line, found.subject.attempt)


def cascade_words(found: Verdict, words: Words) -> list[str]:
    """`6 ranks waited for rank 3 (hccl_notify_wait_timeout)`, for each cause."""
    root = found.root.rank if found.root is not None else None
    counted = Counter(follower.cause for follower in found.cascade)
    parts = []
    for cause, number in counted.most_common(_CASCADES):
        ranks = [follower.rank for follower in found.cascade if follower.cause == cause]
        who = words.so_many_ranks(number) if number > 1 or ranks[0] is None else words.rank.format(ranks[0])
        if cause == _STOPPED:
            parts.append(words.stopped.format(who))
        elif root is not None and any(part in cause for part in _WAITED):
            parts.append(words.waited.format(who, words.rank.format(root), safe_line(cause)))
        else:
            parts.append(words.followed.format(who, safe_line(cause)))
    return parts


def fix_facts(found: Verdict, words: Words, run: str | None, most: int = _FIXES) -> Iterator[Fact]:
    """The suggestions, those with a command that a run can apply; `run` is None where there is no run."""
    shown = found.suggestions[:most]
    hidden = len(found.suggestions) - len(shown)
    for number, proposed in enumerate(shown):
        text = f"{proposed.number}  {proposed_words(proposed, words)}"
        if proposed.overrides and run is not None:
            text = f"{text:<{_COMMAND_AT}}  npu-launch rerun {shlex.quote(safe_line(run))} --fix {proposed.number}"
        yield "" if number else "fix", text
    if shown and hidden > 0:
        yield "", words.more_fixes.format(hidden)


def proposed_words(proposed: Proposed, words: Words) -> str:
    """What is changed, as precisely as it is known."""
    return safe_line(proposed.words or words.chosen(proposed.title, proposed.title_zh), _WIDTH)


def retry_facts(found: Verdict, words: Words) -> Iterator[Fact]:
    """Whether the same again helps."""
    if found.retry is not None:
        yield "retry", retry_words(found, words)


def retry_words(found: Verdict, words: Words) -> str:
    """`no: the same shapes fail again`."""
    assert found.retry is not None
    answer = {True: words.yes, False: words.no, None: words.perhaps}[found.retry.helps]
    why = safe_line(words.chosen(found.retry.why, found.retry.why_zh), _WIDTH)
    return why if why.startswith(answer) else f"{answer}{words.separator}{why}"


def place_words(place: Place | None, words: Words) -> str:
    """`rank 3 (node-a, device 3)`, as far as it is known."""
    if place is None:
        return ""
    within = [safe_line(place.host)] if place.host else []
    within += [words.device.format(place.device)] if place.device is not None else []
    rank = "" if place.rank is None else words.rank.format(place.rank)
    where = ", ".join(within)
    return f"{rank} ({where})" if rank and where else rank or where


def line_words(line: Line, attempt: int | None) -> str:
    """`ranks/3/stdout.log:1182  NPU out of memory`; what belongs to the attempt is named from its folder on."""
    file = line.file if attempt is None else line.file.removeprefix(f"attempts/{attempt}/")
    return f"{safe_line(file)}:{line.line}  {safe_line(line.text.strip(), _WIDTH)}"


def amount_words(amount: Amount, words: Words) -> str:
    """`logs: 12, ranks: 8, 3.4 MB`."""
    return words.read.format(amount.files, amount.ranks, size_words(amount.bytes))


def size_words(size: int) -> str:
    """`312 bytes`, `3.4 MB`."""
    return f"{size} bytes" if size < 10_000 else f"{size / 1e6:,.1f} MB"


def labelled(facts: Sequence[Fact], words: Words) -> Iterator[str]:
    """Each fact as an indented line."""
    for label, text in facts:
        shown = words.label(label)
        cells = len(shown) if shown.isascii() else 2 * len(shown)
        yield f"  {shown}{' ' * max(8 - cells, 1)}{text}"


def _alternatives(found: Verdict, words: Words) -> str:
    return words.or_others.format(ranks_phrase(found.also)) if found.also else ""
