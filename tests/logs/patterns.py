"""Patterns of every kind, and blocks of lines in which they are and are not."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from launcher.logs.pattern import Pattern

PATTERNS = (
    Pattern("error"),
    Pattern("ERR", ignore_case=True),
    Pattern("a.b"),
    Pattern("失败"),
    Pattern(r"a+b", literal=False),
    Pattern(r"^x", literal=False),
    Pattern(r"q$", literal=False),
    Pattern(r"\s", literal=False),
    Pattern(r"[^q]", literal=False),
    Pattern(r"[^\v]", literal=False),
    Pattern(r"z*", literal=False),
    Pattern(r"(?<=a)b$", literal=False),
    Pattern(r"(a)\1", literal=False),
    Pattern(r"\Ax", literal=False),
    Pattern(r"a{,2}q", literal=False),
    Pattern(r"[失败]", literal=False),
    Pattern(r"(?i)ERROR.*q", literal=False),
    *(Pattern(text, literal=False) for text in ("", "^", r"\b", "^$", "a|", "(?:b)?", r"^\s*$")),
    *(Pattern(text, literal=False) for text in ("^(?!x)", "^(?!.*b).*$", "(?=a)", "(?<!a)", "^(x)?(?(1)a|)")),
    *(Pattern(text, literal=False) for text in ("^(x)?(?(1)a|b)", r"(|a)\1(?:\1b|x)", "a(?!$)", r"\Bb")),
)
PIECES = st.sampled_from(
    [
        *(piece.encode() for piece in ("a", "b", "x", "q", ".", " ", "\n", "\r", "error", "Err", "失败", "失")),
        "失败".encode("gbk"),
    ]
)
BLOCKS = st.lists(PIECES, max_size=40).map(b"".join)


def expected(block: bytes) -> set[tuple[int, int]]:
    """Each pattern and line of which `re` says that it is there, by the line's number."""
    found = set()
    for number, line in enumerate(block.removesuffix(b"\n").split(b"\n") if block else ()):
        for index, pattern in enumerate(PATTERNS):
            ways = [pattern.text.encode()]
            if pattern.literal:
                ways = [re.escape(pattern.text.encode(coding)) for coding in ("utf-8", "gbk")]
            if any(re.search(way, line, re.IGNORECASE if pattern.ignore_case else 0) for way in ways):
                found.add((index, number))
    return found
