"""What a rank table does wrong: which rule, where in the file, what HCCL says to it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from launcher.planning.ranktable.rules import Rule
from launcher.planning.topology import Severity

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Violation:
    """One rule that one place of a table breaks. Line and column count from 1; None when there is no such place."""

    rule: str
    severity: Severity
    path: str  # server_list[1].device[3].device_ip; empty for the file as a whole
    line: int | None
    column: int | None
    seen: str
    codes: tuple[str, ...]
    says: str
    remedy: str
    source: str

    @property
    def is_refused(self) -> bool:
        """Whether HCCL would not start."""
        return self.severity is Severity.REFUSED


def path_text(path: Path) -> str:
    """`server_list[1].device[3].device_ip`, as JSON tools write a path."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def shown(value: object) -> str:
    """A value as JSON spells it, or what kind it is, shortened."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


@dataclass
class Findings:
    """Violations as they are found, before their places in the file are known."""

    found: list[tuple[Rule, Path, str, dict[str, object]]] = field(default_factory=list)

    def add(self, rule: Rule, path: Path, seen: str, /, **words: object) -> None:
        """`seen` is a sentence, `words` fill the rule's texts."""
        self.found.append((rule, path, seen, words))

    def located(self, places: dict[Path, tuple[int, int]]) -> tuple[Violation, ...]:
        """The violations in the order of the file, and of rules where they share a place."""
        violations = [
            _violation(rule, path, seen, words, *places.get(path, (None, None)))
            for rule, path, seen, words in self.found
        ]
        return tuple(sorted(violations, key=lambda each: (each.line or 0, each.column or 0, each.path, each.rule)))


def _violation(
    rule: Rule, path: Path, seen: str, words: dict[str, object], line: int | None, column: int | None
) -> Violation:
    return Violation(
        rule=rule.name,
        severity=rule.severity,
        path=path_text(path),
        line=line,
        column=column,
        seen=seen,
        codes=rule.codes,
        says=rule.says.format(**words),
        remedy=rule.remedy.format(**words),
        source=rule.source.format(**words),
    )
