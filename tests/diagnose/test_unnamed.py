"""What a rule did not read out of a log leaves no gap in what people are told."""

from __future__ import annotations

import re

import pytest

from launcher.diagnose.loading import rulebook
from launcher.diagnose.rule import Bilingual
from launcher.diagnose.unnamed import worded

_GAP = re.compile(r"<[a-z_]+>|[{}]")


@pytest.mark.parametrize("kind", ["suggestions", "causes"])
def test_no_text_of_ours_needs_anything_to_be_read_out(kind: str) -> None:
    book = rulebook()
    texts = {
        "suggestions": [text for each in book.suggestions.values() for text in (each.title, each.why)],
        "causes": [text for each in book.causes.values() for text in (each.title, each.explanation)],
    }[kind]
    gaps = [each for text in texts for each in worded(text, {}) if _GAP.search(each) or "  " in each or not each]
    assert not gaps


@pytest.mark.parametrize(
    ("english", "chinese", "wanted"),
    [
        ("give {op} what it accepts", "修改 {op} 的参数", ("give the operator what it accepts", "修改该算子的参数")),
        ("A kernel ({kernel}) failed.", "算子（{kernel}）失败。", ("A kernel failed.", "算子失败。")),
        ("It failed - {error}", "失败：{error}", ("It failed", "失败")),
        ("{library} is not found.", "找不到 {library}。", ("The library is not found.", "找不到该库。")),
        ("port {port} is taken", "端口 {port} 被占用", ("the port is taken", "端口被占用")),
        ("with {nothing_known}", "以 {nothing_known}", ("with <nothing_known>", "以 <nothing_known>")),
    ],
)
def test_a_sentence_does_without_a_name(english: str, chinese: str, wanted: tuple[str, str]) -> None:
    assert worded(Bilingual(en=english, zh=chinese), {}) == wanted


def test_what_was_read_is_said_as_it_stands() -> None:
    text = Bilingual(en="give {op} what it accepts - {reason}", zh="修改 {op}：{reason}")
    assert worded(text, {"op": "Add", "reason": "{x}"}) == ("give Add what it accepts - {x}", "修改 Add：{x}")
