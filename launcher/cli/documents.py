"""What `--json` prints: stable keys; new ones may come, none goes or changes its meaning.

Times are seconds since the epoch, durations seconds. A number that JSON has no word for is the text `nan`, `inf` or
`-inf`. A value that is not known is null.

`run_document`, an element of `ps --json`:
  version (1), run (its id), name, phase (created, running, stopping, succeeded, failed, stopped, gave_up, lost),
  reason, exit_code (of a command that waited for the run; null until it has ended), created, ended,
  duration (from created to ended or now, without the time between an end and a rerun), framework, target, world_size,
  hosts, attempt (the current or last one's number), path

`status_document`, of `status --json`, has these and:
  attempts: number, ranks, started, ended, resume_from (the checkpoint of all ranks), own_checkpoints (of independent
    ranks, each of which goes on from its own), first_failure (a rank), stopping (why it had to stop), restarts
    (those before it since a person started the run), max_restarts, restarted_because (null when a person started it),
    cause (infrastructure, device, memory, user) and evidence (a line) of the first failure, fix (the suggestion that it
    was started with, by itself; or null), diagnosed (what logs say of its failure: cause, confidence, rank; or null)
  diagnosis (of why the run ended badly, as `diagnose --json` has it; null where none is kept)
  first_failure (of the last attempt): rank, exit, cause, evidence, log, last_lines; or null
  pending_restart: due, reason, cause; or null when none waits
  unwell_hosts: host, reach (suspected, unreachable), heard (when it answered last)
  lingering (what is still there though its grace is over): ranks: rank, process_state (a letter, as ps has it; empty
    when it cannot be seen from this machine); hosts (that have no rank left, but something that ranks left behind)
  ledger: where the time went, in seconds
    attempts: number, wall (the sum of those that follow), launch (to the start of the last rank), compile (to the end
      of the first step, imports included), recompute (of steps that an attempt before had done), training (new steps;
      all since the launch when no step lines tell more), detecting (from the failure, or from the beginning of a
      standstill, to the order to stop), down (until nothing is left of the ranks), restarting (until the next attempt),
      step_lines (whether the log tells steps)
    wall (of all attempts: from created to ended or now without idle), idle (between an end and a rerun),
    effective_ratio (training in wall, 0 to 1; null without step lines)
  hang (the last standstill of the last attempt): time (of finding), since, limit (seconds), fatal (the attempt was
    stopped for it), odd (ranks), stacks (in words), path (of the file with all stacks); or null
  stragglers: attempt, rank, slowdown (times the median step)
  troubles (signs that training goes wrong, in the order in which they began): time, attempt, rank (the first that
    showed it), kind (loss_not_finite, loss_explodes, loss_stands, scale_falls, steps_slower), words, step (how many
    were done; null when not known), line (which shows it), log (the rank's) and offset (bytes) of the line in it
  faults (that logs showed while their rank went on, in the order in which they were seen): time, host, attempt, rank,
    cause, category, words, file (below path), line (from 1), text
  progress: steps_done, total_steps, fraction (0 to 1), step_seconds, eta_seconds, slowest_rank
  weights: identical, step, groups (sha256, ranks); or null when no rank reported its weights
  ranks: rank, phase (waiting, running, succeeded, failed, stopped, lost), ending (first_failure, cascade: failed in the
    wake of it, failed: independently of others, stopped: by npu-launch, lost: nobody saw it; or null), attempt, host,
    place, combination (of a sweep: its values by dotted paths; else null), pid, exit_code, signal, error, max_rss_kib,
    epoch, step, steps_done, first_loss, last_loss, step_seconds,
    metrics (the ends of each series that the lines tell: loss, learning_rate, loss_scale, grad_norm, step_seconds,
    throughput, accuracy: first, last), evaluations (epoch, null when not told, metrics), weights_sha256, checkpoint,
    log
  notes: time, level, text
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from launcher.logs.packed import existing
from launcher.logs.progress import RankProgress
from launcher.runs.endings import ending_of
from launcher.runs.layout import RunLayout
from launcher.runs.ledger import Kind, Ledger

if TYPE_CHECKING:
    from launcher.cli.view import RunView
    from launcher.runs.events import Diagnosed

VERSION = 1


def run_document(view: RunView) -> dict[str, Any]:
    """What the record says of a run in a line."""
    state = view.state
    return {
        "version": VERSION,
        "run": view.id,
        "name": state.name,
        "phase": state.phase.value,
        "reason": state.reason,
        "exit_code": int(state.phase.exit_code) if state.phase.ended else None,
        "created": state.created,
        "ended": state.ended,
        "duration": view.elapsed,
        "framework": state.framework,
        "target": state.target,
        "world_size": state.world_size,
        "hosts": list(state.hosts),
        "attempt": state.attempt.number if state.attempt else None,
        "path": str(view.path),
    }


def status_document(view: RunView, words: Sequence[str] = ()) -> dict[str, Any]:
    """All that is known of a run; `words` are the last log lines of the rank that failed first."""
    state = view.state
    return {
        **run_document(view),
        "attempts": [
            {
                "number": attempt.number,
                "ranks": list(attempt.ranks),
                "started": attempt.started,
                "ended": attempt.ended,
                "resume_from": attempt.resume_from,
                "own_checkpoints": list(attempt.own_checkpoints),
                "first_failure": attempt.first_failure,
                "stopping": attempt.stopping,
                "restarts": attempt.restarts,
                "max_restarts": attempt.max_restarts,
                "restarted_because": attempt.answer_to.reason if attempt.answer_to else None,
                "cause": attempt.failure.cause.value if attempt.failure else None,
                "evidence": attempt.failure.evidence if attempt.failure else None,
                "fix": attempt.answer_to.fix if attempt.answer_to else None,
                "diagnosed": _diagnosed(attempt.diagnosed) if attempt.diagnosed else None,
            }
            for attempt in state.attempts
        ],
        "diagnosis": view.verdict.model_dump(mode="json") if view.verdict else None,
        "first_failure": _first_failure(view, words),
        "hang": _hang(view),
        "stragglers": [{"attempt": s.attempt, "rank": s.rank, "slowdown": s.slowdown} for s in state.stragglers],
        "troubles": _troubles(view),
        "faults": [fault.model_dump(exclude={"type", "host_seq"}, mode="json") for fault in view.state.faults],
        "pending_restart": _pending_restart(view),
        "unwell_hosts": [
            {"host": host, "reach": known.reach.value, "heard": known.heard}
            for host, known in sorted(state.unwell_hosts.items())
        ],
        "lingering": {
            "ranks": [{"rank": rank, "process_state": letter} for rank, letter in sorted(view.lingering.ranks.items())],
            "hosts": list(view.lingering.hosts),
        },
        "ledger": _ledger(view.ledger),
        "progress": _progress(view),
        "weights": _weights(view),
        "ranks": [_rank(view, rank) for rank in sorted(state.ranks)],
        "notes": [{"time": note.time, "level": note.level, "text": note.text} for note in state.notes],
    }


def _first_failure(view: RunView, words: Sequence[str]) -> dict[str, Any] | None:
    attempt = view.state.attempt
    if attempt is None or attempt.first_failure is None:
        return None
    rank = view.state.ranks[attempt.first_failure]
    return {
        "rank": rank.rank,
        "exit": str(rank.exit),
        "cause": rank.failure.cause.value if rank.failure else None,
        "evidence": rank.failure.evidence if rank.failure else None,
        "log": _log(view, rank.rank),
        "last_lines": list(words),
    }


def _diagnosed(found: Diagnosed) -> dict[str, Any]:
    return {"cause": found.cause, "confidence": found.confidence, "rank": found.rank}


def _pending_restart(view: RunView) -> dict[str, Any] | None:
    pending = view.state.pending
    if pending is None:
        return None
    return {"due": pending.due, "reason": pending.reason, "cause": pending.cause.value if pending.cause else None}


def _ledger(ledger: Ledger) -> dict[str, Any]:
    return {
        "attempts": [
            {
                "number": attempt.number,
                "wall": attempt.wall,
                **{kind.value: attempt.seconds(kind) for kind in Kind},
                "step_lines": attempt.tells_steps,
            }
            for attempt in ledger.attempts
        ],
        "wall": ledger.wall,
        "idle": ledger.idle,
        "effective_ratio": ledger.effective_ratio,
    }


def _hang(view: RunView) -> dict[str, Any] | None:
    hang = view.state.attempt.hang if view.state.attempt is not None else None
    if hang is None:
        return None
    path = str(view.path / hang.path) if hang.path is not None else None
    return {**hang.model_dump(include={"time", "since", "limit", "fatal", "odd", "stacks"}, mode="json"), "path": path}


def _progress(view: RunView) -> dict[str, Any]:
    overall = view.overall
    return {
        "steps_done": overall.steps_done,
        "total_steps": overall.total_steps,
        "fraction": overall.fraction,
        "step_seconds": overall.step_seconds,
        "eta_seconds": overall.eta_seconds,
        "slowest_rank": overall.slowest,
    }


def _weights(view: RunView) -> dict[str, Any] | None:
    agreement = view.weights
    if agreement is None:
        return None
    groups = [{"sha256": digest, "ranks": list(ranks)} for digest, ranks in agreement.groups]
    return {"identical": agreement.identical, "step": agreement.step, "groups": groups}


def _rank(view: RunView, rank: int) -> dict[str, Any]:
    known = view.state.ranks[rank]
    progress = view.progress.get(rank, RankProgress())
    code = known.exit.code if known.exit else None
    return {
        "rank": rank,
        "phase": known.phase.value,
        "ending": ending.value if (ending := ending_of(view.state, rank)) else None,
        "attempt": known.attempt,
        "host": known.host,
        "place": view.places.get(rank),
        "combination": dict(view.combinations[rank]) if rank in view.combinations else None,
        "pid": known.pid,
        "exit_code": code if code is not None and code >= 0 else None,
        "signal": -code if code is not None and code < 0 else None,
        "error": known.exit.error if known.exit else None,
        "max_rss_kib": known.max_rss_kib,
        "epoch": _whole(progress.odometer.epoch),
        "step": progress.odometer.step,
        "steps_done": progress.steps_done,
        "first_loss": _number(progress.first_loss),
        "last_loss": _number(progress.last_loss),
        "step_seconds": progress.step_seconds,
        "metrics": {
            metric.value: {"first": _number(progress.first.get(metric, last)), "last": _number(last)}
            for metric, last in progress.last.items()
        },
        "evaluations": [
            {"epoch": _whole(seen.epoch), "metrics": {name: _number(value) for name, value in seen.metrics.items()}}
            for seen in progress.evaluations
        ],
        "weights_sha256": progress.weights.sha256 if progress.weights else None,
        "checkpoint": progress.checkpoint.path if progress.checkpoint else None,
        "log": _log(view, rank),
    }


def _troubles(view: RunView) -> list[dict[str, Any]]:
    return [
        {
            **trouble.model_dump(exclude={"type", "host", "host_seq"}, mode="json"),
            "log": str(RunLayout(view.path).attempt(trouble.attempt).rank(trouble.rank).log),
        }
        for trouble in view.state.troubles
    ]


def _log(view: RunView, rank: int) -> str:
    log = RunLayout(view.path).attempt(view.state.ranks[rank].attempt).rank(rank).log
    return str(existing(log) or log)


def _whole(epoch: float | None) -> float | None:
    """An epoch as a whole number, unless a part of one is done."""
    return int(epoch) if epoch is not None and epoch == int(epoch) else epoch


def _number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
