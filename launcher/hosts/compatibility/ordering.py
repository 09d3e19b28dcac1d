"""The order of version names in the Ascend software: of CANN, of the driver and firmware, of wheels."""

from __future__ import annotations

import re
from functools import total_ordering
from itertools import zip_longest

_PART = re.compile(r"([a-z]+)[._-]?([0-9]*)|([0-9]+)")
_NOTHING = (0, 0)  # what is not written counts as 0
_LONGEST = 80  # characters of a version that are looked at: hosts may write anything

# What a word does to what stands before it: 8.0.RC3 comes before 8.0.0, and 2.1.0.post8 after 2.1.0.
_BEFORE = {"dev": -4, "alpha": -3, "beta": -2, "rc": -1}
_AFTER = 1  # post, SPC, TR, and whatever else is added to a release


@total_ordering
class Version:
    """A version by its parts.

    CANN counts its release candidates in the third place: 8.0.RC3 < 8.0.0 < 8.1.RC1, and the alpha of a candidate comes
    before it: 8.2.RC1.alpha003 < 8.2.RC1. Drivers are spelled in lower case (`24.1.rc2`), which makes no difference.
    Missing numbers count as 0, so that 24.1 and 24.1.0 are one version, and what pip adds behind a plus says nothing.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = _parts(text)

    @property
    def family(self) -> tuple[int, int]:
        """Its first two numbers: (8, 0) of 8.0.RC3."""
        first, second = (*self._parts, _NOTHING, _NOTHING)[:2]
        return first[1], second[1] if second[0] == 0 else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._parts == other._parts

    def __lt__(self, other: Version) -> bool:
        pairs = zip_longest(self._parts, other._parts, fillvalue=_NOTHING)
        return next((mine < its for mine, its in pairs if mine != its), False)

    def __hash__(self) -> int:
        return hash(self._parts)

    def __repr__(self) -> str:
        return f"Version({self.text!r})"


def is_version(text: str) -> bool:
    """Whether a text begins as versions do: with numbers and points."""
    return re.match(r"[0-9]{1,9}(\.[0-9A-Za-z]|$)", text) is not None


def without_alpha(text: str) -> str:
    """The release that an alpha or beta led to: 6.3.RC2 of 6.3.RC2.alpha005."""
    return re.sub(r"[.-]?(alpha|beta)[0-9]*$", "", text, flags=re.IGNORECASE)


def _parts(text: str) -> tuple[tuple[int, int], ...]:
    """Pairs of a kind (0 for a plain number) and a number, without zeros at the end."""
    found: list[tuple[int, int]] = []
    for word, following, number in _PART.findall(text[:_LONGEST].lower().partition("+")[0]):
        found.append((_BEFORE.get(word, _AFTER), int(following or 0)) if word else (0, int(number)))
    while found and found[-1] == _NOTHING:
        found.pop()
    return tuple(found)
