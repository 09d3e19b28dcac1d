"""How often the diagnosis of a log excerpt is right: rules against a corpus of labelled failure logs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.diagnose.choosing import choose
from launcher.diagnose.finding import Finding, Role
from launcher.diagnose.loading import rulebook
from launcher.diagnose.matching import find_in_text
from launcher.diagnose.rulebook import Rulebook
from launcher.logs.grammar import level_of
from launcher.logs.record import Level, Source

HARMLESS: Final = "none"  # the category of logs without a fault
USER: Final = "user_code"
_CONFIDENCES: Final = ("high", "medium", "low")
_SOURCES: Final = {"plog": Source.PLOG, "device": Source.DEVICE, "dmesg": Source.HOST, "npu-smi": Source.HOST}


@dataclass(frozen=True)
class Case:
    """A labelled excerpt (`corpus/README.md` says what the fields are)."""

    id: str
    log: str
    kind: str
    framework: str
    cause: str
    category: str
    confidence: str


@dataclass(frozen=True)
class Answer:
    """What the diagnosis says of a case; `confidence` is the diagnosis's own, "no fault" where it found none."""

    case: Case
    cause: str
    category: str
    confidence: str
    rule: str

    @property
    def is_right(self) -> bool:
        return self.cause == self.case.cause

    @property
    def category_is_right(self) -> bool:
        return self.category == self.case.category

    @property
    def is_false_alarm(self) -> bool:
        """A fault where there is none, or a machine blamed for a user's mistake."""
        return self.case.category in (HARMLESS, USER) and self.category not in (HARMLESS, self.case.category)


def cases(path: Path) -> list[Case]:
    """The cases of a file in the corpus format, one JSON object a line. Raises OSError, KeyError, ValueError."""
    fields = list(Case.__dataclass_fields__)
    with path.open(encoding="utf-8") as file:
        return [Case(*(json.loads(line)[field] for field in fields)) for line in file if line.strip()]


def answer(case: Case, rules: Rulebook) -> Answer:
    """Diagnose one excerpt, knowing nothing but its text and which program wrote it."""
    findings = find_in_text(case.log, rules, name=case.id, source=_SOURCES.get(case.kind, Source.STDOUT))
    chosen = choose(findings)
    if chosen is not None:
        return Answer(case, chosen.cause, chosen.category.value, chosen.confidence.value, chosen.rule)
    return Answer(case, _harmless(findings, case.log), HARMLESS, "no fault", "")


def _harmless(findings: Sequence[Finding], log: str) -> str:
    """Which of the causes that are none a log without a fault has."""
    warns = any(level_of(line.encode()) is Level.WARNING for line in log.splitlines())
    noise = (finding.cause for finding in findings if finding.role is Role.NOISE)
    return next(noise, "warning_only" if warns else "healthy")


def report(answers: Sequence[Answer]) -> str:
    """All figures as Markdown."""
    negative = [each for each in answers if each.case.category in (HARMLESS, USER)]
    alarms = sum(each.is_false_alarm for each in answers)
    parts = [
        f"{len(answers)} cases",
        f"cause     {_share(answers, lambda each: each.is_right)}",
        f"category  {_share(answers, lambda each: each.category_is_right)}",
        f"false alarms  {alarms} of {len(negative)} negative cases ({100 * alarms / max(len(negative), 1):.1f} %)",
        "",
        _table("confidence of the diagnosis", answers, lambda each: each.confidence, _CONFIDENCES),
        _table("confidence of the label", answers, lambda each: each.case.confidence, _CONFIDENCES),
        _table("category", answers, lambda each: each.case.category),
        _table("framework", answers, lambda each: each.case.framework),
    ]
    return "\n".join(parts)


def misses(answers: Iterable[Answer]) -> str:
    """The cases with another cause than their label, a line each."""
    return "\n".join(
        f"{each.case.id}  {each.case.category}/{each.case.cause}  said {each.category}/{each.cause}"
        f"  ({each.confidence}{', ' if each.rule else ''}{each.rule})"
        for each in answers
        if not each.is_right
    )


def _share(answers: Sequence[Answer], good: Callable[[Answer], bool]) -> str:
    right = sum(map(good, answers))
    return f"{right} of {len(answers)} ({100 * right / max(len(answers), 1):.1f} %)"


def _table(heading: str, answers: Sequence[Answer], group: Callable[[Answer], str], first: Sequence[str] = ()) -> str:
    """The shares of right answers by group, in the order of `first`, then of the alphabet."""
    places = {name: place for place, name in enumerate(first)}
    names = sorted({group(each) for each in answers}, key=lambda name: (places.get(name, len(places)), name))
    lines = [f"| {heading} | cases | cause right | category right |", "| --- | --- | --- | --- |"]
    for name in names:
        some = [each for each in answers if group(each) == name]
        cause = 100 * sum(each.is_right for each in some) / len(some)
        category = 100 * sum(each.category_is_right for each in some) / len(some)
        lines.append(f"| {name} | {len(some)} | {cause:.0f} % | {category:.0f} % |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="a file of labelled excerpts, one JSON object a line")
    parser.add_argument("-v", "--verbose", action="store_true", help="list the cases that were missed")
    options = parser.parse_args(arguments)
    begin = time.perf_counter()
    rules = rulebook()
    loaded = time.perf_counter()
    answers = [answer(case, rules) for case in cases(options.corpus)]
    took = time.perf_counter() - loaded
    print(report(answers))
    if options.verbose:
        print(misses(answers))
    print(f"{len(rules.rules)} rules loaded in {loaded - begin:.2f} s, all cases in {took:.2f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
