"""Takes secrets out of what is given away: tokens, keys, passwords; in environments, arguments, URLs and log lines.

A secret is known by the name that it is given, by its own form, or because it was the value of such a name elsewhere.
What cannot be told is left: nobody should send what he has not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

from launcher.bundle.secret_names import is_secret

MARK: Final = "[redacted]"

_LEAST_KNOWN: Final = 6  # characters: a shorter value is found in too many places where it is none
_NAME = r"(?P<name>[A-Za-z_][A-Za-z0-9_.\-]{0,200})"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_ASSIGNMENT = re.compile(
    rf"(?<![A-Za-z0-9_.])(?P<head>{_NAME}(?:\\?[\"'])?[ \t]{{0,8}}(?:=>|:=|[=:])[ \t]{{0,8}})"
    rf"(?P<value>\\\"(?:(?!\\\")[^\n])*\\\"|{_QUOTED}|[^\s,;&\"'<>)\]}}]+)"
)
_FLAG = re.compile(
    r"(?<![A-Za-z0-9_.\-])(?P<head>--?(?P<name>[A-Za-z][A-Za-z0-9_.\-]{0,200})(?:[ \t]+|[\"'],[ \t]*(?=[\"'])))"
    rf"(?P<value>{_QUOTED}|[^\s\"'\-][^\s\"']*)"
)
_HEADER = re.compile(r"(?i)(?P<head>\b(?:set-cookie|cookie|(?:proxy-)?authorization)[\"']?[ \t]*[:=][ \t]*)[^\r\n\"']+")
_BEARER = re.compile(r"(?i)(?P<head>\b(?:bearer|basic)[ \t]+)[A-Za-z0-9._~+/=\-]{8,}")
_LOGIN = re.compile(
    r"(?P<head>\b[A-Za-z][A-Za-z0-9+.\-]{0,20}://)(?:[^\s/\"'<>]{1,400}|[^\s/\"'<>@:]{1,100}:[^\s\"'<>@]{1,300})(?=@)"
)
_PRIVATE_KEY = re.compile(
    r"(?P<head>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).*?(?=-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
)
# Forms that their makers document: Hugging Face, GitHub, GitLab, AWS, Alibaba Cloud, Slack, Google, OpenAI; JWT is
# RFC 7519.
_FORMS = re.compile(
    r"(?P<head>)\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"
    r"|glpat-[A-Za-z0-9_\-]{20,}|(?:AKIA|ASIA)[A-Z0-9]{16}|LTAI[A-Za-z0-9]{12,}|xox[abeoprs]-[A-Za-z0-9\-]{10,}|AIza[A-Za-z0-9_\-]{35}"
    r"|sk-[A-Za-z0-9_\-]{20,}|eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*)"
)
_IN_LINES = (_HEADER, _BEARER, _LOGIN, _FORMS)
# What a line has that may have a secret, in lower case. One without is not looked at closer, which takes much longer.
_SIGNS = (
    *("token", "secret", "pass", "pwd", "credential", "cookie", "key", "authorization", "bearer", "basic", "://"),
    *("signature", "sig=", "sig:", "ak=", "ak:", "sk=", "sk:", 'ak"', 'sk"', "ak'", "sk'", "-ak", "-sk", "_ak", "_sk"),
    *("_sig", "hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "akia", "asia", "ltai", "xox"),
    *("aiza", "sk-", "eyj"),
)


class Redactor:
    """Takes out secrets; `known` are such that were found by their names (`secrets_in`), and are taken out anywhere."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        values = {form for value in known if len(value) >= _LEAST_KNOWN for form in (value, quote(value, safe=""))}
        longest_first = sorted(values, key=lambda value: (-len(value), value))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """A text of any kind without its secrets; its lines stay the lines that they are."""
        if self._known is not None:
            text = self._known.sub(MARK, text)
        if "PRIVATE KEY" in text:
            text = _PRIVATE_KEY.sub(_closed, text)
        pieces, at = [], 0
        for begin, end in _lines_with_signs(text):
            pieces += [text[at:begin], _line(text[begin:end])]
            at = end
        return "".join([*pieces, text[at:]])

    def value(self, value: Any) -> Any:
        """What JSON or YAML holds, without the secrets in it: keys say what is one."""
        if isinstance(value, dict):
            return {key: MARK if is_secret(name, each) else self.value(each) for key, name, each in _named(value)}
        if isinstance(value, (list, tuple)):
            hidden = set(_secret_places(value))
            return [MARK if place in hidden else self.value(each) for place, each in enumerate(value)]
        return self.text(value) if isinstance(value, str) else value


def _lines_with_signs(text: str) -> list[tuple[int, int]]:
    """Where the lines are that have to be looked at closer, in order."""
    lower = text.lower()
    if len(lower) != len(text):  # there are letters that become two
        return [(0, len(text))]
    found = set()
    for sign in _SIGNS:
        at = lower.find(sign)
        while at >= 0:
            end = lower.find("\n", at)
            end = len(lower) if end < 0 else end
            found.add((lower.rfind("\n", 0, at) + 1, end))
            at = lower.find(sign, end)
    return sorted(found)


def _line(line: str) -> str:
    for pattern in _IN_LINES:
        line = pattern.sub(_closed, line)
    return _FLAG.sub(_redacted, _ASSIGNMENT.sub(_redacted, line))


def _closed(found: re.Match[str]) -> str:
    """A secret that is known by its form; what is before it stays, and so does the number of lines."""
    return found["head"] + MARK + "\n" * found[0].count("\n")


def secrets_in(value: Any) -> Iterator[str]:
    """The texts that a value has under the name of a secret, anywhere in it."""
    if isinstance(value, dict):
        for _, name, each in _named(value):
            if isinstance(each, str) and is_secret(name, each):
                yield each
            else:
                yield from secrets_in(each)
    elif isinstance(value, (list, tuple)):
        hidden = set(_secret_places(value))
        for place, each in enumerate(value):
            if place in hidden:
                yield each
            else:
                yield from secrets_in(each)
    elif isinstance(value, str):
        found = re.fullmatch(r"--?([A-Za-z][\w.\-]*)=(.+)", value)
        if found is not None and is_secret(found[1], found[2]):
            yield found[2]


def _named(value: dict[Any, Any]) -> Iterator[tuple[Any, str, Any]]:
    """Key, name and value of each entry: the key, but that of `value` in `{name: HF_TOKEN, value: ...}` is its name."""
    for key, each in value.items():
        yield key, str(value.get("name", key) if key == "value" else key), each


def _secret_places(items: list[Any] | tuple[Any, ...]) -> Iterator[int]:
    """Which items of a list are secrets: what follows `--password`, and the second of `[HF_TOKEN, ...]`."""
    for place in range(1, len(items)):
        name, each = items[place - 1], items[place]
        if not isinstance(name, str) or not isinstance(each, str):
            continue
        is_flag = re.fullmatch(r"--?[A-Za-z][\w.\-]*", name) is not None and not each.startswith("--")
        is_pair = len(items) == 2 and re.fullmatch(r"[A-Za-z_]\w*", name) is not None
        if (is_flag or is_pair) and is_secret(name, each):
            yield place


def _redacted(found: re.Match[str]) -> str:
    """An assignment or an option with its value, which stays when it is none."""
    value = found["value"]
    bare = value.strip("\\").strip("\"'").strip("\\")
    if bare.startswith(MARK[:-1]) or not is_secret(found["name"], bare):
        return found[0]
    opening = re.match(r"\\?[\"']", value)
    quoted = opening[0] if opening is not None else ""
    return f"{found['head']}{quoted}{MARK}{quoted}"
