"""Text that other programs wrote, made harmless for a terminal."""

from __future__ import annotations

import re
import unicodedata

from launcher.logs.decoding import decoded

# ECMA-48: CSI, then OSC/DCS/SOS/PM/APC strings with their end (BEL or ST), then the short escapes.
_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\r\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-Z\\^-~]"
)

# What remains of these would move the cursor, ring, or reorder the text that a person reads.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_UNSAFE_FORMATS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def safe_line(line: bytes | str, width: int | None = None) -> str:
    """One line of a log as it may be shown: one line, no control characters, at most `width` characters.

    Escape sequences are dropped, other control characters written out (`\\x07`), bytes that are no text replaced
    (`decoded`). Of a progress bar, which overwrites itself with carriage returns, the last state remains.
    """
    text = decoded(line) if isinstance(line, bytes) else line
    if not text.isprintable():
        text = _ESCAPE_SEQUENCE.sub("", text)
        text = _last_state(text).expandtabs(4)
        text = "".join(map(_visible, text))
    if width is not None and len(text) > width:
        text = text[: max(width - 1, 0)] + "…"
    return text


def _last_state(text: str) -> str:
    """What a terminal would show at the end of a line that returns to its start."""
    states = [state for state in text.rstrip("\r\n").split("\r") if state.strip()]
    return states[-1] if states else ""


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) in _UNSAFE_CATEGORIES or character in _UNSAFE_FORMATS:
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return character
