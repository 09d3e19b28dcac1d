"""Which packages have to move, and to which versions, where the tables of releases say that they do not go together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from launcher.diagnose.suggestion import Suggestion, SuggestionKind
from launcher.hosts.compatibility import Answer, Verdict, compatible, mindspore_on, torch_npu_on, torch_npu_serves

_NAMED: Final = (
    ("torch_npu", re.compile(r"torch-npu==([\w.+-]+)")),
    ("torch", re.compile(r"torch==([\w.+-]+)")),
    ("mindspore", re.compile(r"MindSpore ([\w.-]+)")),
    ("cann", re.compile(r"CANN ([\w.-]+)")),
    ("driver", re.compile(r"driver ([\w.-]+)")),
)
_ALONG: Final = {
    "cann": "driver and firmware that go with it, its kernels (ops) package, torch_npu or mindspore built for it",
    "driver": "the firmware of the same release, on every host",
    "torch_npu": "torch of the same number",
    "torch": "torch_npu of the same number",
    "mindspore": "the CANN that it was made for",
}


class _Pair(NamedTuple):
    first: str
    second: str
    answer: Callable[[str, str], Answer]


_PAIRS: Final = (
    _Pair("cann", "driver", compatible),
    _Pair("torch_npu", "torch", torch_npu_serves),
    _Pair("cann", "torch_npu", torch_npu_on),
    _Pair("cann", "mindspore", mindspore_on),
)


def upgrades(versions: Mapping[str, str]) -> Iterator[Suggestion]:
    """What to install, for each pair of these packages that is known, or inferred, not to work (facts/versions.md)."""
    for first, second, ask in _PAIRS:
        if first not in versions or second not in versions:
            continue
        answer = ask(versions[first], versions[second])
        if answer.verdict not in (Verdict.BAD, Verdict.DOUBTFUL) or not answer.suggestion:
            continue
        change = _change(answer.suggestion)
        yield Suggestion(
            f"fit_{second}_to_{first}",
            answer.suggestion,
            f"{first} {versions[first]} 与 {second} {versions[second]} 不配套：{answer.suggestion}",
            SuggestionKind.UPGRADE,
            change,
            f"{answer.why} ({answer.source})",
            f"{answer.why}（{answer.source}）",
        )


def _change(words: str) -> dict[str, str]:
    """The packages of "install driver 25.2.0 and its firmware" with their versions, and what has to move along."""
    change = {name: match[1].rstrip(".") for name, pattern in _NAMED if (match := pattern.search(words))}
    if "driver" in change and "cann" in change and words.startswith("install driver"):
        del change["cann"]  # the one that is there, which it goes with
    along = [_ALONG[name] for name in change]
    return change | ({"with": "; ".join(along)} if along else {})
