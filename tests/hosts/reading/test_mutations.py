"""Whatever becomes of a tool's answer, reading it never fails, and never makes up a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.hosts.reading.text import plain_lines
from launcher.hosts.report import Unread
from tests.hosts.reading.samples import READERS, sample

CHINESE = "警告:驱动版本不匹配"
POSITION = st.floats(0, 1, exclude_max=True)


def truncated(text: str, at: float) -> str:
    return text[: int(len(text) * at)]


def with_column(text: str, at: float) -> str:
    """Another column in the table, or another word in the lines."""
    lines = text.split("\n")
    column = int(at * 4)
    for number, line in enumerate(lines):
        cells = line.split("|")
        if len(cells) > 2:
            cells.insert(1 + column % (len(cells) - 1), f" extra {number} ")
            lines[number] = "|".join(cells)
        elif "  " in line.strip():
            words = re.split(r"(\s{2,})", line)
            words.insert(2 * (column % max(len(words) // 2, 1)), f"extra{number}   ")
            lines[number] = "".join(words)
    return "\n".join(lines)


def swapped(text: str, at: float) -> str:
    position = int(len(text) * at)
    pair = text[position : position + 2]
    return text[:position] + pair[::-1] + text[position + 2 :]


def put_in(text: str, at: float, what: str) -> str:
    position = int(len(text) * at)
    return text[:position] + what + text[position:]


def without_line(text: str, at: float) -> str:
    lines = text.split("\n")
    del lines[int(len(lines) * at)]
    return "\n".join(lines)


def twice(text: str, at: float) -> str:
    lines = text.split("\n")
    position = int(len(lines) * at)
    return "\n".join([*lines[: position + 1], *lines[position:]])


MUTATIONS = [
    truncated,
    with_column,
    swapped,
    without_line,
    twice,
    lambda text, at: text.replace("\n", "\r\n"),
    lambda text, at: put_in(text, at, CHINESE),
    lambda text, at: f"{CHINESE}\n{text}\n{CHINESE}: {at}\n",
    lambda text, at: put_in(text, at, "\x1b[1;31m"),
    lambda text, at: put_in(text, at, "\0\x07\ufffd"),
    lambda text, at: put_in(text, at, "99999999999999999999999"),
    lambda text, at: text.replace(" ", "  "),
    lambda text, at: text.replace("|", "│"),
]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(MUTATIONS), POSITION), min_size=1, max_size=3))
def test_a_mutated_answer_is_read_or_reported_and_no_value_is_made_up(name: str, mutations: list[Any]) -> None:
    text = sample(name)
    for mutate, at in mutations:
        text = mutate(text, at)
    found = READERS[name](text)
    said = " ".join(" ".join(plain_lines(text)).split())
    for value in values(found):
        assert is_said(value, said), f"{value!r} is nowhere in {text!r}"


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=8, deadline=None)
@given(text=st.text())
def test_a_text_that_is_no_answer_at_all_is_reported(name: str, text: str) -> None:
    READERS[name](text)


def values(found: Any) -> Iterator[Any]:
    """The values that were read; what is unread is none."""
    if isinstance(found, Unread) or found is None or isinstance(found, bool):
        return
    if is_dataclass(found):
        for field in fields(found):
            if field.name not in ("source", "cpus"):  # where it was read; ranges that were spelled out
                yield from values(getattr(found, field.name))
    elif isinstance(found, Mapping):
        yield from (item for pair in found.items() for part in pair for item in values(part))
    elif isinstance(found, tuple):
        yield from (item for part in found for item in values(part))
    else:
        yield found


def is_said(value: Any, text: str) -> bool:
    if isinstance(value, Enum):
        return str(value.value).casefold() in text.casefold()
    if isinstance(value, int):
        return str(value) in text
    if isinstance(value, float):
        return value in map(float, re.findall(r"-?\d+(?:\.\d+)?", text))
    return " ".join(value.split()) in text


@pytest.mark.parametrize("name", [name for name in READERS if name.startswith("npu_smi/info_")])
@settings(max_examples=20, deadline=None)
@given(at=POSITION)
def test_another_column_shifts_no_value_into_a_wrong_place(name: str, at: float) -> None:
    original, found = READERS[name](sample(name)), READERS[name](with_column(sample(name), at))
    assert isinstance(found, Unread) or set(found.chips) <= set(original.chips)
