"""Which texts a regular expression cannot match without: what a scanner looks for before `re` is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

SHORTEST: Final = 4
"""Characters that a text worth looking for has at least: shorter ones stand in every other line."""

SHORTEST_WORD: Final = 6
"""The same for a single word of small letters."""

EVERYDAY_FILE: Final = Path(__file__).parent / "everyday.txt"
EVERYDAY: Final = frozenset(EVERYDAY_FILE.read_text(encoding="utf-8").splitlines())
"""Words that stand in too many lines of jobs that are well."""

TROUBLED: Final = frozenset(("dead", "died", "fail", "hung", "lost", "nan"))
"""Short words that seldom stand there."""

_EDGES: Final = " []():=,.'\"-_|/"
_CLASSES: Final = frozenset("dDwWsSbBAZ")
_CONTROLS: Final = frozenset("nrtfv")
_ENOUGH: Final = 8  # characters, from which on fewer texts are better than longer ones
_FEW: Final = 8  # texts that a run may be without being written out
_MOST: Final = 64  # the same, when it is

Texts = tuple[str, ...]


def required(expression: str) -> Texts:
    """Texts of which every match of the expression holds at least one; empty where none are worth looking for.

    Groups and what may be left out are written out in full only where there is no other way: each text costs a scanner
    a little.
    """
    texts = tuple(text for branch in _branches(expression) for text in _best_of(branch))
    return texts if all(map(is_telling, texts)) else ()


def is_telling(text: str) -> bool:
    """Whether a scanner that looks for this text points at few lines of jobs that are well."""
    core = " ".join(text.strip(_EDGES).casefold().split())
    if core in TROUBLED:
        return len(text) >= SHORTEST
    is_word = core.isalpha() and not text.strip(_EDGES).isupper()
    return len(core) >= (SHORTEST_WORD if is_word else SHORTEST) and core not in EVERYDAY


def _best_of(branch: str) -> Texts:
    """The texts of an alternative that are longest, and fewest of those that are long enough; ("",) for none."""
    for written_out in (False, True):
        telling = (texts for texts in _candidates(branch, written_out) if texts and all(map(is_telling, texts)))
        best = max(telling, key=lambda texts: (min(_ENOUGH, *map(len, texts)), -len(texts)), default=None)
        if best is not None:
            return best
    return ("",)


def _branches(expression: str) -> Iterator[str]:
    """The alternatives at the expression's own level."""
    begin = position = 0
    while position < len(expression):
        if expression[position] == "|":
            yield expression[begin:position]
            begin = position + 1
        position = _after(expression, position)
    yield expression[begin:]


def _candidates(branch: str, written_out: bool) -> Iterator[Texts]:
    """The texts of an alternative between what may be this or that, and those of groups that it cannot do without."""
    run: Texts = ("",)
    for part, quantifier in _parts(branch):
        texts = _stands_for(part, quantifier, written_out)
        if texts and len(run) * len(texts) <= (_MOST if written_out else _FEW):
            run = tuple(before + each for before in run for each in texts)
        else:
            yield run
            run = texts if texts and len(texts) <= _FEW else ("",)
            if quantifier not in ("?", "*", "{") and (inner := _inner(part)):
                yield required(inner)
        if quantifier == "+":
            yield run
            run = ("",)
    yield run


def _parts(branch: str) -> Iterator[tuple[str, str]]:
    """The parts of an alternative, each with the character that says how often it may stand there, or none."""
    position = 0
    while position < len(branch):
        after = _after(branch, position)
        quantifier = branch[after : after + 1]
        yield branch[position:after], quantifier if quantifier in ("?", "*", "+", "{") else ""
        position = _after_quantifier(branch, after)


def _stands_for(part: str, quantifier: str, written_out: bool) -> Texts:
    """All texts that a part of an alternative may be; empty where they are not counted."""
    if quantifier in ("*", "{"):
        return ()
    texts = _spellings(part) or (_all_of(_inner(part)) if written_out else ())
    if quantifier == "?":
        return (*texts, "") if written_out and texts else ()
    return texts


def _all_of(expression: str) -> Texts:
    """All texts that a whole expression may be; empty where they are not counted, or too many."""
    texts: Texts = ()
    for branch in _branches(expression) if expression else ():
        run: Texts = ("",)
        for part, quantifier in _parts(branch):
            more = _stands_for(part, quantifier, written_out=True) if quantifier != "+" else ()
            run = tuple(before + each for before in run for each in more)
            if not run or len(run) > _MOST:
                return ()
        texts += run
    return texts if len(texts) <= _MOST else ()


def _spellings(part: str) -> Texts:
    """The characters that a part stands for, where they are up to three; none is what a word's edge has."""
    if part.startswith("["):
        inside = part[1:-1]
        return tuple(inside) if len(inside) <= 3 and inside.isalnum() else ()
    if part == "\\b":
        return ("",)
    if len(part) == 2 and part[0] == "\\":
        return () if part[1] in _CLASSES | _CONTROLS or part[1].isdigit() else (part[1],)
    return (part,) if len(part) == 1 and part not in ".^$" else ()


def _inner(part: str) -> str:
    """What a group holds; empty for what is no group, or one that only looks ahead or back."""
    if not part.startswith("("):
        return ""
    if part.startswith("(?:"):
        return part[3:-1]
    if part.startswith("(?P<"):
        return part[part.index(">") + 1 : -1]
    return "" if part.startswith("(?") else part[1:-1]


def _after(expression: str, position: int) -> int:
    """Where the part that begins here ends: an escape, a class, a group with all that is in it, or a character."""
    match expression[position]:
        case "\\":
            return position + 2
        case "[":
            return _after_class(expression, position)
        case "(":
            position += 1
            while position < len(expression) and expression[position] != ")":
                position = _after(expression, position)
            return position + 1
    return position + 1


def _after_class(expression: str, position: int) -> int:
    position += 2 if expression.startswith("[^", position) else 1
    if expression.startswith("]", position):
        position += 1
    while position < len(expression) and expression[position] != "]":
        position += 2 if expression[position] == "\\" else 1
    return position + 1


def _after_quantifier(expression: str, position: int) -> int:
    if expression.startswith("{", position):
        position = expression.find("}", position) + 1 or len(expression)
    elif expression[position : position + 1] in ("?", "*", "+"):
        position += 1
    else:
        return position
    return position + 1 if expression[position : position + 1] in ("?", "+") else position
