"""Why an attempt of a run failed, with what the run itself can do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Final

from launcher.diagnose.context import Context
from launcher.diagnose.diagnosing import diagnose_run
from launcher.diagnose.diagnosis import Diagnosis
from launcher.diagnose.finding import Category
from launcher.diagnose.fixing.fix import Fix, Refusal, fix_of
from launcher.diagnose.loading import rulebook
from launcher.diagnose.root.cause import UNKNOWN
from launcher.diagnose.run_context import context_of, recipe_of
from launcher.diagnose.spreading import ready
from launcher.diagnose.telling import telling_lines
from launcher.diagnose.upgrades import upgrades
from launcher.diagnose.verdict import Subject, Verdict
from launcher.diagnose.wording import verdict
from launcher.errors import NpuLaunchError
from launcher.logs.record import LogFile
from launcher.logs.sources import files_of_run
from launcher.runs.state import RunPhase
from launcher.runs.store import RunDirectory, all_runs

_GOOD_RUNS: Final = 2  # of the same name, that lines are compared with where no rule fits
_LOOKED_AT: Final = 20  # runs of the same name, the latest first


def make_ready() -> None:
    """Load the rules, so that a diagnosis afterwards begins at once. Raises SpecError."""
    ready(rulebook())


def diagnose_attempt(run: RunDirectory, attempt: int) -> Verdict:
    """What broke first, by the logs of an attempt, and which of the suggestions the run can carry out by itself.

    Raises SpecError for a user's rule that is none.
    """
    rules = rulebook()
    recipe = recipe_of(run)
    context = context_of(run, attempt, recipe)
    found = diagnose_run(run, attempt, rules, context)
    if found.root is not None and found.root.cause == UNKNOWN:
        files = files_of_run(run, attempt)
        lines = telling_lines(files, _good_logs(run), found.root.rank)
        found = replace(found, root=replace(found.root, evidence=lines or found.root.evidence))
    found = with_upgrades(found, context)
    fixes: list[Fix | Refusal] = []
    if recipe is not None:
        fixes = [fix_of(each.kind, each.change, recipe, context.env) for each in found.suggestions]
    return verdict(Subject(kind="run", name=run.id, attempt=attempt), found, rules, fixes)


def with_upgrades(found: Diagnosis, context: Context) -> Diagnosis:
    """A diagnosis of software that does not fit, with the versions that do; what logs say of versions counts too."""
    if found.root is None or found.root.category is not Category.SOFTWARE_STACK:
        return found
    said: dict[str, str] = {}
    for finding in found.findings:
        said |= finding.extracted
    better = tuple(upgrades({**said, **context.versions}))
    return replace(found, suggestions=(*better, *found.suggestions))


def _good_logs(run: RunDirectory) -> list[LogFile]:
    """The logs of runs of the same recipe that succeeded."""
    found: list[LogFile] = []
    with suppress(NpuLaunchError, OSError):
        for good in islice(_good_runs(run), _GOOD_RUNS):
            found += files_of_run(good, None)
    return found


def _good_runs(run: RunDirectory) -> Iterator[RunDirectory]:
    name = _manifest(run).get("name")
    others = (
        other for other in reversed(all_runs()) if other.path != run.path and _manifest(other).get("name") == name
    )
    for other in islice(others, _LOOKED_AT):
        if other.state().phase is RunPhase.SUCCEEDED:
            yield other


def _manifest(run: RunDirectory) -> Mapping[str, object]:
    with suppress(OSError, ValueError):
        found = json.loads(run.layout.run.read_bytes())
        return found if isinstance(found, dict) else {}
    return {}
