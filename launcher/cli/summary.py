"""A run in a few lines: how it went, what broke first, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from launcher.cli.conditions import conditions
from launcher.cli.faults import faults
from launcher.cli.standstills import cause_of_hang, fatal_hang
from launcher.cli.sweeps import best, combination_words
from launcher.cli.troubles import troubles
from launcher.cli.verdict_summary import at_most, diagnosed_facts, fixed_facts, unsaid, verdict_of
from launcher.cli.view import RunView
from launcher.cli.wording import count, duration, quantity, rank_list, ranks_pattern, ranks_phrase, step_time
from launcher.logs.curve import sparkline
from launcher.logs.metrics import Evaluation, Metric
from launcher.logs.safe import safe_line
from launcher.runs.layout import RunLayout
from launcher.runs.state import AttemptState, RankPhase, RankState, RunPhase

_MOST_LINES = 12
_METRICS_SHOWN = 3
_CURVE_CELLS = 16
_VALUES_SHOWN = (Metric.LEARNING_RATE, Metric.LOSS_SCALE, Metric.GRAD_NORM, Metric.ACCURACY, Metric.THROUGHPUT)


def summary(view: RunView, words: Sequence[str] = ()) -> list[str]:
    """At most 12 lines, then the last `words` of the rank that failed first, if one did."""
    lines = [headline(view)]
    lines += [f"  {label:<8}{text}" for label, text in at_most(list(_facts(view)), _MOST_LINES - 1)]
    if words:
        lines += ["", f"the last lines of {_failed_log(view)}:", *(f"  | {word}" for word in words)]
    return lines


def headline(view: RunView) -> str:
    """`run resnext-8p-7f3a  attempt 2/3  FAILED after 4m12s at step 318`."""
    state = view.state
    parts = [f"run {safe_line(view.id)}"]
    if state.attempt is not None:
        parts.append(attempt_words(state.attempt))
    words = [phase_word(state.phase), "after" if state.phase.ended else "for", duration(view.elapsed)]
    steps = view.overall
    if steps.steps_done is not None and state.phase is not RunPhase.SUCCEEDED:
        words.append(f"at step {steps.steps_done}" + (f" of {steps.total_steps}" if steps.total_steps else ""))
    return "  ".join([*parts, " ".join(words)])


def attempt_words(attempt: AttemptState) -> str:
    """`attempt 2/3` where the recipe allows restarts, else `attempt 2`."""
    if not attempt.max_restarts:
        return f"attempt {attempt.number}"
    return f"attempt {attempt.number}/{attempt.number - attempt.restarts + attempt.max_restarts}"


def phase_word(phase: RunPhase) -> str:
    """`GAVE UP`."""
    return phase.value.upper().replace("_", " ")


def phase_style(phase: RunPhase) -> str:
    """The colour that goes with a phase: good, bad or warn."""
    if phase in (RunPhase.FAILED, RunPhase.GAVE_UP, RunPhase.LOST):
        return "bad"
    return "warn" if phase in (RunPhase.STOPPED, RunPhase.STOPPING) else "good"


def _facts(view: RunView) -> Iterator[tuple[str, str]]:
    """Label and text of each line under the headline, the label empty when it is the line above's."""
    state, attempt = view.state, view.state.attempt
    hang, first = fatal_hang(view), None
    if hang is None and attempt is not None and attempt.first_failure is not None:
        first = state.ranks[attempt.first_failure]
    found = verdict_of(view)
    if found is not None:
        yield from diagnosed_facts(view, found, _others(view, first) if first is not None else "")
    elif first is not None and state.phase is not RunPhase.SUCCEEDED:
        yield "cause", _cause(view, first)
        if first.failure is not None and first.failure.evidence and first.failure.evidence != str(first.exit):
            yield "line", safe_line(first.failure.evidence, 300)
        if others := _others(view, first):
            yield "others", others
    elif hang is not None and state.phase is not RunPhase.SUCCEEDED:
        yield from cause_of_hang(hang)
    elif not state.phase.ended and state.ranks:
        yield "ranks", _phases(view)
    yield from fixed_facts(view)
    yield from conditions(view)
    told = f"rank {first.rank} failed first ({first.exit})" if first is not None else ""
    if hang is not None:
        told = hang.words
    reason = state.reason.removeprefix(told).removeprefix(", and ").removeprefix("; ") if told else state.reason
    if state.phase.ended and state.phase is not RunPhase.SUCCEEDED and reason:
        yield "reason", safe_line(reason, 300)
    yield from _training(view)
    yield "logs", _logs(view, attempt)
    yield from _next(view)


def _cause(view: RunView, first: RankState) -> str:
    where = view.places.get(first.rank) or first.host
    known = "; ".join(filter(None, [(where or "").replace("/", ", device "), combination_words(view, first.rank)]))
    place = f" ({known})" if known else ""
    return f"rank {first.rank}{place} failed first: {safe_line(str(first.exit), 200)}{_class(first)}"


def _class(first: RankState) -> str:
    return f" ({first.failure.cause.value} failure)" if first.failure is not None else ""


def _others(view: RunView, first: RankState) -> str:
    """What became of the other ranks, which says little about them: they fail in the wake of the first."""
    attempt = view.state.attempt
    phases = (
        (RankPhase.FAILED, "failed after it" if attempt is None or attempt.gang else "failed too"),
        (RankPhase.STOPPED, "stopped by npu-launch"),
        (RankPhase.LOST, "lost"),
        (RankPhase.SUCCEEDED, "had ended well"),
        (RankPhase.RUNNING, "still running"),
        (RankPhase.WAITING, "never started"),
    )
    parts = []
    for phase, words in phases:
        ranks = unsaid(view.state.ranks_in(phase), verdict_of(view), first)
        if ranks:
            parts.append(f"{count(len(ranks), 'rank')} {words}")
    return ", ".join(parts)


def _phases(view: RunView) -> str:
    parts = [f"{len(ranks)} {phase.value}" for phase in RankPhase if (ranks := view.state.ranks_in(phase))]
    return ", ".join(parts)


def _training(view: RunView) -> Iterator[tuple[str, str]]:
    """Trouble, steps, losses, metrics and weights, as far as the logs tell."""
    if view.state.phase.ended:
        yield from troubles(view)
        if verdict_of(view) is None:
            yield from faults(view)
    if steps := _steps(view):
        yield "steps", steps
    if view.combinations:
        yield from zip(("best", ""), best(view), strict=False)
        return  # what one rank tells is not true of the others
    if not view.state.phase.ended and (values := _values(view)):
        yield "values", values
    evaluations = next(
        (view.progress[r].evaluations for r in sorted(view.progress) if view.progress[r].evaluations), ()
    )
    if evaluations:
        yield "metrics", _metrics(evaluations)
    if weights := _weights(view):
        yield "weights", weights


def _steps(view: RunView) -> str:
    overall = view.overall
    parts = []
    if overall.steps_done is not None:
        parts.append(f"{overall.steps_done}" + (f" of {overall.total_steps}" if overall.total_steps else ""))
    speaking = () if view.combinations else sorted(view.progress)  # of a sweep no rank speaks for the others
    with_loss = [view.progress[r] for r in speaking if view.progress[r].last_loss is not None]
    if with_loss:
        shown = with_loss[0]
        assert shown.first_loss is not None and shown.last_loss is not None
        parts.append(f"loss {quantity(shown.first_loss)} -> {quantity(shown.last_loss)}")
    if overall.step_seconds is not None:
        parts.append(f"{step_time(overall.step_seconds)} a step")
    if not view.state.phase.ended and overall.eta_seconds is not None:
        parts.append(f"{duration(overall.eta_seconds)} left")
    curve = sparkline(with_loss[0].losses.points, _CURVE_CELLS) if with_loss else ""
    return f"{', '.join(parts)}  {curve}".rstrip()


def _values(view: RunView) -> str:
    """What goes with the latest steps, by the lowest rank that tells it."""
    values = {
        metric: value
        for rank in sorted(view.progress, reverse=True)
        for metric, value in view.progress[rank].last.items()
    }
    shown = [metric for metric in _VALUES_SHOWN if metric in values]
    return ", ".join(f"{metric.value.replace('_', ' ')} {values[metric]:.4g}" for metric in shown)


def _metrics(evaluations: Sequence[Evaluation]) -> str:
    before, after = evaluations[0].metrics, evaluations[-1].metrics
    parts = []
    for name, value in after.items():
        change = quantity(value)
        if len(evaluations) > 1 and name in before:
            change = f"{quantity(before[name])} -> {change}"
        parts.append(f"{safe_line(name, 40)} {change}")
    hidden = len(parts) - _METRICS_SHOWN
    return ", ".join(parts[:_METRICS_SHOWN]) + (f" and {hidden} more" if hidden > 0 else "")


def _weights(view: RunView) -> str:
    agreement = view.weights
    if agreement is None:
        return ""
    digest, ranks = agreement.groups[0]
    if agreement.identical:
        all_ranks = view.state.world_size
        whose = count(all_ranks, "rank") if len(ranks) == all_ranks else f"{len(ranks)} of {count(all_ranks, 'rank')}"
        return f"identical on {whose}: {digest[:12]}... (step {agreement.step})"
    others = "; ".join(f"{ranks_phrase(members)} {digest[:12]}..." for digest, members in agreement.groups[1:4])
    more = " and more" if len(agreement.groups) > 4 else ""
    return f"NOT IDENTICAL at step {agreement.step}: {ranks_phrase(ranks)} {digest[:12]}...; {others}{more}"


def _logs(view: RunView, attempt: AttemptState | None) -> str:
    home, path = str(Path.home()), str(view.path)
    if attempt is not None:
        path = f"{RunLayout(view.path).attempt(attempt.number).ranks}/{ranks_pattern(attempt.ranks)}/stdout.log"
    return safe_line("~" + path[len(home) :] if path.startswith(home + "/") else path)


def _failed_log(view: RunView) -> str:
    attempt = view.state.attempt
    assert attempt is not None and attempt.first_failure is not None
    log = RunLayout(view.path).attempt(attempt.number).rank(attempt.first_failure).log
    return f"rank {attempt.first_failure} ({log.relative_to(view.path)})"


def _next(view: RunView) -> Iterator[tuple[str, str]]:
    """Commands that make sense now."""
    run = shlex.quote(safe_line(view.id))
    phase = view.state.phase
    if not phase.ended:
        yield "next", f"npu-launch logs {run} -f"
        yield "", f"npu-launch stop {run}"
    elif phase is RunPhase.SUCCEEDED:
        yield "next", f"npu-launch logs {run}"
    else:
        attempt = view.state.attempt
        if attempt is not None and attempt.first_failure is not None:
            logs = f"npu-launch logs {run} --rank {rank_list([attempt.first_failure])}"
            if _ranks_are_independent(view, attempt):
                yield "next", f"npu-launch rerun {run} --ranks failed"
                yield "", logs
            else:
                yield "next", logs
                yield "", f"npu-launch rerun {run}"
        else:
            yield "next", f"npu-launch rerun {run}"


def _ranks_are_independent(view: RunView, attempt: AttemptState) -> bool:
    """Whether the run shows that a rank's failure leaves the others alone: some did well, and nobody stopped any."""
    return (
        view.state.framework == "plain" and attempt.stopping is None and bool(view.state.ranks_in(RankPhase.SUCCEEDED))
    )


def while_it_runs(view: RunView) -> str:
    """What to type about a run that goes on by itself."""
    run = shlex.quote(safe_line(view.id))
    return f"run {run} goes on:\n  npu-launch status {run}\n  npu-launch logs {run} -f\n  npu-launch stop {run}"
