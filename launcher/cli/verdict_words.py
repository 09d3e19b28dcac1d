"""The words of a verdict in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Lang(str, Enum):
    """Of what is said about a failure."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True)
class Words:
    """Labels by their English names, and phrases with `{}` for what varies."""

    lang: Lang
    labels: Mapping[str, str]
    rank: str
    a_rank: str
    ranks: str
    device: str
    confidence: Mapping[str, str]
    no_fault: str
    unknown: str
    or_others: str
    waited: str
    followed: str
    stopped: str
    yes: str
    no: str
    perhaps: str
    read: str
    more_fixes: str
    separator: str

    def label(self, name: str) -> str:
        """A label of a verdict's line."""
        return self.labels.get(name, name)

    def so_many_ranks(self, number: int) -> str:
        """`a rank`, `6 ranks`: ranks that have no numbers to be told by."""
        return self.a_rank if number == 1 else self.ranks.format(number)

    def chosen(self, english: str, chinese: str) -> str:
        """Which of two texts that say the same."""
        return chinese if self.lang is Lang.ZH and chinese else english


_ENGLISH: Final = Words(
    lang=Lang.EN,
    labels={},
    rank="rank {}",
    a_rank="a rank",
    ranks="{} ranks",
    device="device {}",
    confidence={"high": "high confidence", "medium": "medium confidence", "low": "low confidence"},
    no_fault="no fault found",
    unknown="unknown: no rule fits what the logs say",
    or_others=" (or {}, which cannot be ordered against it)",
    waited="{} waited for {} ({})",
    followed="{} failed after it ({})",
    stopped="{} stopped by npu-launch",
    yes="yes",
    no="no",
    perhaps="perhaps",
    read="logs: {}, ranks: {}, {}",
    more_fixes="and {} more: --explain",
    separator=": ",
)
_CHINESE: Final = Words(
    lang=Lang.ZH,
    labels={
        "cause": "原因",
        "means": "含义",
        "line": "日志",
        "others": "其他",
        "fix": "修复",
        "retry": "重试",
        "note": "说明",
        "read": "已读",
        "order": "定位",
        "explained": "解释",
        "findings": "规则命中",
        "considered": "考虑后排除",
        "cascade": "连带失败",
        "suggestions": "建议",
        "notes": "说明",
    },
    rank="rank {}",
    a_rank="1 个 rank",
    ranks="{} 个 rank",
    device="设备 {}",
    confidence={"high": "置信度高", "medium": "置信度中", "low": "置信度低"},
    no_fault="未发现故障",
    unknown="未知：没有规则与日志相符",
    or_others="（或 {}，无法与其排序）",
    waited="{} 在等待 {}（{}）",
    followed="{} 随后失败（{}）",
    stopped="{} 由 npu-launch 停止",
    yes="是",
    no="否",
    perhaps="不确定",
    read="日志 {} 个，rank {} 个，{}",
    more_fixes="另有 {} 条：--explain",
    separator="：",
)


def words(lang: Lang) -> Words:
    """The words of a language."""
    return _CHINESE if lang is Lang.ZH else _ENGLISH
