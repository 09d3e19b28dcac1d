"""The words of a bundle's summary, in English and in Chinese."""

from __future__ import annotations

import signal
from enum import Enum
from typing import Final

from launcher.runs.state import Exit, RunPhase


class Language(str, Enum):
    """What the summary is written in."""

    EN = "en"
    ZH = "zh"


WORDS: Final = {
    Language.EN: {
        "title": "Run {run}: {phase}",
        "happened": "What happened",
        "diagnosis": "Diagnosis",
        "last lines": "Last lines of rank {rank}",
        "attempts": "Attempts",
        "attempt": "attempt",
        "ranks": "ranks",
        "began": "began (UTC)",
        "lasted": "lasted",
        "first failure": "failed first",
        "how": "how it ended",
        "software": "Software",
        "hosts": "Hosts",
        "recipe": "Recipe, as it was run",
        "plan": "Command and environment of rank {rank}",
        "contents": "What is in the archive",
        "redacted": "Secrets were replaced by `{mark}` ({count} times). Look it through before you send it: what a "
        "program prints may be confidential without looking like a secret.",
        "cut": "cut: {name} ({kept} of {size} bytes)",
        "left out": "left out: {name}: {why}",
        "more": "and {count} more",
        "rank": "rank {rank}",
        "none": "-",
    },
    Language.ZH: {
        "title": "运行 {run}：{phase}",
        "happened": "问题现象",
        "diagnosis": "诊断结果",
        "last lines": "rank {rank} 的最后输出",
        "attempts": "各次尝试",
        "attempt": "尝试",
        "ranks": "rank 数",
        "began": "开始时间（UTC）",
        "lasted": "持续时间",
        "first failure": "最先失败",
        "how": "结束原因",
        "software": "软件版本",
        "hosts": "主机",
        "recipe": "实际运行的配置",
        "plan": "rank {rank} 的命令与环境变量",
        "contents": "附件内容",
        "redacted": "敏感信息已替换为 `{mark}`（共 {count} 处）。"
        "发送前请自行检查：程序打印的内容可能涉密，却看不出是敏感信息。",
        "cut": "已截断：{name}（保留 {kept} / {size} 字节）",
        "left out": "未收录：{name}：{why}",
        "more": "另有 {count} 项",
        "rank": "rank {rank}",
        "none": "-",
    },
}

_PHASES: Final = {
    RunPhase.CREATED: "已创建",
    RunPhase.RUNNING: "运行中",
    RunPhase.STOPPING: "停止中",
    RunPhase.SUCCEEDED: "成功",
    RunPhase.FAILED: "失败",
    RunPhase.STOPPED: "已停止",
    RunPhase.GAVE_UP: "放弃重试",
    RunPhase.LOST: "失联",
}


def phase_words(phase: RunPhase, language: Language) -> str:
    """Where a run stands: `gave up`, `放弃重试`."""
    return _PHASES[phase] if language is Language.ZH else phase.value.replace("_", " ")


def exit_words(ended: Exit, language: Language) -> str:
    """How a process ended: `killed by SIGKILL`, `被 SIGKILL 终止`. What it never executed for is as it was told."""
    if language is not Language.ZH or ended.error:
        return str(ended)
    if ended.oom:
        return f"内存不足，被内核终止（{ended.oom}）"
    if ended.code >= 0:
        return f"退出码 {ended.code}"
    try:
        return f"被 {signal.Signals(-ended.code).name} 终止"
    except ValueError:
        return f"被信号 {-ended.code} 终止"
