"""Which names are those of secrets: of variables, options, keys; a table of words."""

from __future__ import annotations

import re
from typing import Any, Final

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PASSWORDS: Final = frozenset(("password", "passwd", "passphrase", "passcode", "pwd"))  # even when they are a number
_KEYS: Final = frozenset(("apikey", "accesskey", "secretkey"))
_SECRETS: Final = (_PASSWORDS | _KEYS).union(
    ("token", "secret", "credential", "credentials", "cookie", "authorization", "signature", "sig", "ak", "sk")
)
_OF_KEYS: Final = frozenset(
    ("api", "access", "private", "secret", "account", "encryption", "signing", "storage", "auth", "master")
)
_MORE_THAN_A_WORD: Final = frozenset(("pass", "pwd"))  # secret where something is before them: PWD is a folder
_PLACES: Final = frozenset(("file", "path", "dir", "folder", "url", "uri", "name", "host"))
# What makes a token one of a language model's.
_COUNTING: Final = frozenset(("num", "max", "min", "per", "next", "new", "first", "last"))
_BEFORE_TOKEN: Final = _COUNTING.union(
    ("pad", "eos", "bos", "unk", "cls", "sep", "mask", "special", "stop", "image", "video", "audio", "prompt")
)
_AFTER_TOKEN: Final = frozenset(
    ("id", "ids", "num", "count", "length", "len", "size", "type", "types", "limit", "per", "rate", "embedding")
)
_HARMLESS = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]+)?|true|false|none|null|\*+", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether what has this name is a secret: `HF_TOKEN`, `db-password`, `apiKey`; not `max_tokens`, `pad_token_id`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _PLACES:
        return False
    neighbours = zip(["", *words], words, [*words[1:], ""], strict=False)
    return any(_is_secret_word(*each) for each in neighbours)


def is_secret(name: str, value: Any) -> bool:
    """Whether a value is a secret that has this name; a small number, a truth value or nothing is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not is_secret_name(name):
        return False
    says_password = not _PASSWORDS.isdisjoint(word.lower() for word in _WORD.findall(name))
    return bool(str(value)) and (says_password or _HARMLESS.fullmatch(str(value)) is None)


def _is_secret_word(before: str, word: str, after: str) -> bool:
    if word in _MORE_THAN_A_WORD:
        return bool(before) and not after
    if word == "key":
        return before in _OF_KEYS
    if word == "token":
        return before not in _BEFORE_TOKEN and after not in _AFTER_TOKEN
    return word in _SECRETS
