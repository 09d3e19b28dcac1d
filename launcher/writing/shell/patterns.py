"""Patterns of the shell on texts: `case`, `[[ == ]]`, `${x#...}`."""

from __future__ import annotations

import re
from fnmatch import translate


def matches(text: str, pattern: str) -> bool:
    """Whether the whole text is as the pattern says."""
    return re.fullmatch(translate(pattern.replace("\\", "")), text) is not None


def trimmed(text: str, sign: str, pattern: str) -> str:
    """The text without a match of the pattern: `#` at its start, `%` at its end; doubled, without the longest one."""
    cuts = range(len(text) + 1)
    at_start = sign.startswith("#")
    for cut in cuts if (sign in ("#", "%%")) else reversed(cuts):
        piece = text[:cut] if at_start else text[cut:]
        if matches(piece, pattern):
            return text[cut:] if at_start else text[:cut]
    return text


def replaced(text: str, sign: str, pattern: str, by: str) -> str:
    """The text with `by` for the first match (`/`) or every one (`//`)."""
    body = translate(pattern).removeprefix("(?s:").removesuffix(r")\Z")
    return re.sub(body, lambda _: by, text, count=0 if sign == "//" else 1, flags=re.DOTALL)
