"""Texts of any kind as words of a shell and as scalars of YAML: each stays on its line, and means itself."""

from __future__ import annotations

import shlex

_SHELL_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def shell_word(text: str) -> str:
    """A text as one word of bash. What cannot be printed is written as bytes in `$'...'`, so that no line breaks."""
    if text.startswith("="):
        return f"'='{shell_word(text[1:]) if text[1:] else ''}"  # to zsh and shellcheck it means something by itself
    if text.isprintable():
        word = shlex.quote(text)
        return f"'{word}'" if word == text and "," in text else word  # a bare one looks like a slip to shellcheck
    return "$'" + "".join(map(_shell_escaped, text)) + "'"


def quoted_word(text: str) -> str:
    """The same in quotes also where it would need none, for the sake of those who read it."""
    word = shell_word(text)
    return f"'{word}'" if word == text else word


def heredoc_text(text: str) -> str:
    """A printable text as it is written in a here-document whose delimiter is not quoted."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")


def yaml_scalar(text: str) -> str:
    """A text as a scalar of YAML in double quotes; every parser reads the same text back."""
    return '"' + "".join(map(_yaml_escaped, text)) + '"'


def remark(text: str) -> str:
    """A text on one line of a comment."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _shell_escaped(character: str) -> str:
    if character in _SHELL_ESCAPES:
        return _SHELL_ESCAPES[character]
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _yaml_escaped(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
