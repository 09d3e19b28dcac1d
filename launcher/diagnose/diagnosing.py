"""From logs, wherever they lie, to a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.diagnose.context import Context
from launcher.diagnose.diagnosis import Counts, Diagnosis
from launcher.diagnose.finding import Finding, Role
from launcher.diagnose.root import UNKNOWN, Death, Facts, RootCause, root_cause
from launcher.diagnose.root.extents import extents
from launcher.diagnose.rule import Bilingual
from launcher.diagnose.rulebook import Rulebook
from launcher.diagnose.spreading import read_logs
from launcher.diagnose.suggestion import Suggestion
from launcher.logs.host_clocks import corrections
from launcher.logs.record import LogFile, Source
from launcher.logs.sources import files_of_run, recognise
from launcher.runs.events import Event, ProcessExited, ProcessStarted, RunCreated
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory

if TYPE_CHECKING:
    from launcher.logs.grammar import Clock


def diagnose_run(run: RunDirectory, attempt: int, rules: Rulebook, context: Context | None = None) -> Diagnosis:
    """What broke first in an attempt, by its logs and the record of the run.

    What the record says (exit code, signal, framework) completes `context`.
    """
    events: list[Event] = []
    with suppress(OSError):
        events = list(RecordReader(run.layout.events).read())
    facts = _recorded(events, attempt)
    known = _completed(context or Context(), events, facts)
    return _diagnosed(files_of_run(run, attempt), rules, known, facts, attempt=attempt)


def diagnose_folder(
    folder: Path, rules: Rulebook, context: Context | None = None, clock: Clock | None = None
) -> Diagnosis:
    """What broke first by the logs in a folder that came from elsewhere; `clock` reads stamps without year or zone."""
    recognised = recognise(folder)
    return _diagnosed(recognised.files, rules, context or Context(), Facts(), clock, recognised.notes)


def diagnose_files(files: Sequence[LogFile], rules: Rulebook, context: Context | None = None) -> Diagnosis:
    """What broke first by these logs."""
    return _diagnosed(files, rules, context or Context(), Facts())


def _diagnosed(
    files: Sequence[LogFile],
    rules: Rulebook,
    context: Context,
    facts: Facts,
    clock: Clock | None = None,
    notes: Iterable[str] = (),
    attempt: int | None = None,
) -> Diagnosis:
    """What broke first by logs of others; where they show no fault, what npu-launch told of an attempt, or of all."""
    logs = [file for file in files if file.source is not Source.LAUNCHER]
    own = [file for file in files if file.source is Source.LAUNCHER]
    readings = list(read_logs(logs, rules, context, clock))
    findings = [finding for reading in readings for finding in reading.findings]
    told = tuple(fact for reading in readings for fact in reading.facts)
    doubtful = [*notes, *(reading.trouble for reading in readings if reading.trouble)]
    size = sum(reading.size for reading in readings)
    known = replace(facts, files=tuple(logs), told=told, extents=extents(logs, clock))
    root = root_cause(findings, known)
    if root is None:
        said = [finding for reading in read_logs(own, rules, context, clock) for finding in reading.findings]
        findings += [each for each in said if attempt is None or each.extracted.get("attempt") == str(attempt)]
        root = root_cause(findings, known)
    if root is not None and root.cause == UNKNOWN:
        root = _with_telling_lines(root, logs)
    ranks = len({log.rank for log in logs if log.rank is not None}) or _ranks_of(findings)
    return _told(root, findings, rules, Counts(len(logs), size, ranks), tuple(doubtful))


def _told(
    root: RootCause | None,
    findings: Sequence[Finding],
    rules: Rulebook,
    counts: Counts,
    notes: tuple[str, ...] = (),
) -> Diagnosis:
    return Diagnosis(root, tuple(findings), _explanation(root, rules), _suggestions(root, rules), counts, notes)


def _explanation(root: RootCause | None, rules: Rulebook) -> Bilingual | None:
    if root is None:
        return None
    if root.finding is not None and root.finding.cause == root.cause:
        return rules.explanation(root.finding)
    return rules.explanation_of(root.cause)


def _suggestions(root: RootCause | None, rules: Rulebook) -> tuple[Suggestion, ...]:
    """What mends the root; `{peer}` in it is the rank that the others asked for."""
    if root is None:
        return ()
    peer = {} if root.rank is None else {"peer": str(root.rank)}
    if root.finding is not None and root.finding.cause == root.cause:
        finding = root.finding
        if finding.role is not Role.ROOT_CANDIDATE:
            finding = replace(finding, extracted={**finding.extracted, **peer})
        return rules.suggestions_for(finding)
    return rules.suggestions_of(root.cause, peer)


def _with_telling_lines(root: RootCause, logs: Sequence[LogFile]) -> RootCause:
    from launcher.diagnose.telling import telling_lines

    return replace(root, evidence=telling_lines(logs, suspect=root.rank))


def _recorded(events: Sequence[Event], attempt: int) -> Facts:
    """What the record tells of an attempt beside its logs."""
    deaths = tuple(
        Death(event.rank, event.code, event.time, event.stopped, event.oom, event.host)
        for event in events
        if isinstance(event, ProcessExited) and event.attempt == attempt and event.rank is not None
    )
    started = [event for event in events if isinstance(event, ProcessStarted) and event.attempt <= attempt]
    size = next((event.world_size for event in events if isinstance(event, RunCreated)), None)
    pids = {(event.host, event.pid): event.rank for event in started if event.rank is not None}
    return Facts(deaths=deaths, world_size=size, corrections=corrections(events) if events else None, pids=pids)


def _completed(context: Context, events: Sequence[Event], facts: Facts) -> Context:
    """A context with what the record says of the first failure."""
    failed = next((death for death in facts.deaths if death.code != 0 and not death.stopped), None)
    framework = next((event.framework for event in events if isinstance(event, RunCreated)), None)
    context = replace(context, framework=context.framework or framework)
    if failed is None or context.exit_code is not None or context.signal is not None:
        return context
    return replace(context, signal=-failed.code) if failed.code < 0 else replace(context, exit_code=failed.code)


def _ranks_of(findings: Iterable[Finding]) -> int:
    return len({finding.rank for finding in findings if finding.rank is not None})
