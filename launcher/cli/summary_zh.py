"""The summary of a run in Chinese, for a ticket: how it went and what broke first."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.bundle.words import Language, exit_words, phase_words
from launcher.cli.standstills import fatal_hang
from launcher.cli.view import RunView
from launcher.cli.wording import duration, quantity, rank_list, step_time
from launcher.logs.safe import safe_line
from launcher.runs.events import Cause
from launcher.runs.state import RankPhase, RankState, RunPhase

_ZH = Language.ZH
_CAUSES = {Cause.INFRASTRUCTURE: "基础设施", Cause.DEVICE: "设备", Cause.MEMORY: "内存", Cause.USER: "用户程序"}
_BECAME = (
    (RankPhase.FAILED, "随后失败"),
    (RankPhase.STOPPED, "被 npu-launch 停止"),
    (RankPhase.LOST, "失联"),
    (RankPhase.SUCCEEDED, "已正常结束"),
    (RankPhase.RUNNING, "仍在运行"),
    (RankPhase.WAITING, "未启动"),
)
_WIDTH = 300  # characters of a line that somebody else wrote


def summary_in_chinese(view: RunView) -> list[str]:
    """The headline, then a line for each thing that is known."""
    return [_headline(view), *(f"  {label}：{text}" for label, text in _facts(view))]


def _headline(view: RunView) -> str:
    state, steps = view.state, view.overall
    parts = [
        f"运行 {safe_line(view.id)}",
        *([f"第 {state.attempt.number} 次尝试"] if state.attempt is not None else []),
    ]
    parts.append(f"{phase_words(state.phase, _ZH)}，历时 {duration(view.elapsed)}")
    if steps.steps_done is not None and state.phase is not RunPhase.SUCCEEDED:
        parts.append(
            f"进行到第 {steps.steps_done} 步" + (f"（共 {steps.total_steps} 步）" if steps.total_steps else "")
        )
    return "，".join(parts)


def _facts(view: RunView) -> Iterator[tuple[str, str]]:
    state, attempt = view.state, view.state.attempt
    hang = fatal_hang(view)
    if hang is not None:
        yield "起因", safe_line(hang.words, _WIDTH)
    elif attempt is not None and attempt.first_failure is not None and state.phase is not RunPhase.SUCCEEDED:
        first = state.ranks[attempt.first_failure]
        yield "起因", _cause(view, first)
        if first.failure is not None and first.failure.evidence and first.failure.evidence != str(first.exit):
            yield "依据", safe_line(first.failure.evidence, _WIDTH)
        if others := _others(view, first):
            yield "其他 rank", others
    if state.phase.ended and state.phase is not RunPhase.SUCCEEDED and state.reason:
        yield "结束原因（原文）", safe_line(state.reason, _WIDTH)
    if training := _training(view):
        yield "训练", training


def _cause(view: RunView, first: RankState) -> str:
    host, _, device = (view.places.get(first.rank) or first.host or "").partition("/")
    place = "，".join(filter(None, [host, f"设备 {device}" if device else ""]))
    kind = f"（{_CAUSES[first.failure.cause]}故障）" if first.failure is not None else ""
    how = "原因不明" if first.exit is None else exit_words(first.exit, _ZH)
    return f"rank {first.rank}{f'（{place}）' if place else ''}最先失败：{safe_line(how, _WIDTH)}{kind}"


def _others(view: RunView, first: RankState) -> str:
    parts = []
    for phase, words in _BECAME:
        ranks = [rank for rank in view.state.ranks_in(phase) if rank != first.rank]
        if ranks:
            parts.append(f"{words} {len(ranks)} 个（{rank_list(ranks)}）")
    return "，".join(parts)


def _training(view: RunView) -> str:
    known = [view.progress[rank] for rank in sorted(view.progress) if view.progress[rank].last_loss is not None]
    parts = []
    if known and known[0].first_loss is not None and known[0].last_loss is not None:
        parts.append(f"loss {quantity(known[0].first_loss)} -> {quantity(known[0].last_loss)}")
    if view.overall.step_seconds is not None:
        parts.append(f"每步 {step_time(view.overall.step_seconds)}")
    return "，".join(parts)
