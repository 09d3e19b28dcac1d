"""Sentences about what a rule reads out of a log, where it could not be read: they do without it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from launcher.diagnose.rule import Bilingual

NAMED: Final = re.compile(r"\{([a-z_]+)\}")

# What ends a sentence with a name that is not known is left out: in brackets, or behind a dash or a colon.
_BRACKETS: Final = r"\s?[(（][^()（）]*\{%s\}[^()（）]*[)）]"
_BEHIND: Final = r"(?: - |：)\{%s\}(?=[.。]?$)"

_INSTEAD: Final[Mapping[str, str]] = {
    " at {place}": "",
    " GLIBC {version}，当前": "更新的 GLIBC，当前",
    "GLIBC {version}": "a newer GLIBC",
    "[Dd]ata file {path}": "data file",
    "[Dd]evice {device}": "the device",
    "[Pp]ort {port}": "the port",
    "[Tt]he name {host}": "a name",
    "[Tt]he operator {op}": "the operator",
    "[Tt]he path {path}": "the path",
    "built for {built_soc}": "built for another chip",
    "has no {package}": "has nothing",
    "is {card_ip}": "is another",
    "its value {value}": "its value",
    "lacks {version}": "lacks a newer version",
    "rank {peer}": "a peer",
    "reach {host}": "reach an address",
    "{table_ip} for": "one address for",
    "{version} of": "a newer version of",
    " C[+]{2} 运行库 {version}": "更新的 C++ 运行库",
    "中为 {table_ip}，而该卡地址为": "中的地址不是该卡的地址",
    "主机名 {host} ?": "主机名",
    "取值 {value}": "取值",
    "地址 {card_ip}": "地址",
    "数据文件 {path} ?": "数据文件",
    "环境变量 {variable}": "环境变量",
    "端口 {port} ?": "端口",
    "算子 {op} ?": "算子",
    "系统库缺少 {version}": "系统库版本过旧",
    "脚本 {place}": "脚本",
    "设备 {device} ?": "该设备",
    "访问 {host}": "访问该地址",
    "路径 {path} ?": "路径",
    "面向 {built_soc}": "面向其他芯片",
}
"""What is said instead, by expressions of the name's place and of what stands beside it."""

_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "error": ("the log says which", "见日志"),
    "kernel": ("the kernel", "该算子"),
    "library": ("the library", "该库"),
    "mismatch": ("the log says how", "见日志"),
    "op": ("the operator", "该算子"),
    "package": ("the package", "该软件包"),
    "path": ("the path", "该路径"),
    "reason": ("the log says why", "原因见日志"),
    "variable": ("the variable", "该环境变量"),
}
"""What a thing is called in English and in Chinese whose name is not known."""


def worded(text: Bilingual, extracted: Mapping[str, str]) -> tuple[str, str]:
    """A text in English and in Chinese, `{name}` replaced by what was read out of the log, or left out.

    Of a name that nothing is known of here `<name>` is left.
    """
    gaps = [name for name in NAMED.findall(text.en + text.zh) if not extracted.get(name)]
    english, chinese = text.en, text.zh
    for name in gaps:
        english, chinese = _without(name, english), _without(name, chinese)
        noun = _NOUNS.get(name)
        if noun is not None:
            english = english.replace(f"{{{name}}}", noun[0])
            chinese = re.sub(rf" ?\{{{name}\}} ?", noun[1], chinese)
    if gaps and (text.en.endswith(".") or text.en[:1].isupper()):
        english = english[:1].upper() + english[1:]
    return filled(english, extracted), filled(chinese, extracted)


def filled(text: str, extracted: Mapping[str, str]) -> str:
    """A text with `{name}` replaced by what was read out of the log; what was not is left as `<name>`, to be filled."""
    return NAMED.sub(lambda named: extracted.get(named[1]) or f"<{named[1]}>", text)


def is_complete(text: str, extracted: Mapping[str, str]) -> bool:
    """Whether everything was read that a text speaks of."""
    return all(extracted.get(name) for name in NAMED.findall(text))


def _without(name: str, text: str) -> str:
    """A text without a name where that can be left out, or said otherwise."""
    if f"{{{name}}}" not in text:
        return text
    text = re.sub(_BRACKETS % name, "", text)
    text = re.sub(_BEHIND % name, "", text)
    for expression, words in _places(name):
        text = expression.sub(words, text)
    return text


@lru_cache(maxsize=256)
def _places(name: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    gap = f"{{{name}}}"
    return tuple(
        (re.compile(place.replace(gap, re.escape(gap))), words) for place, words in _INSTEAD.items() if gap in place
    )
