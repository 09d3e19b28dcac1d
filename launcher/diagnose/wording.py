"""From a diagnosis to the document that is kept and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from launcher.diagnose.diagnosis import Diagnosis
from launcher.diagnose.finding import Evidence, Finding
from launcher.diagnose.fixing.fix import Fix, Refusal
from launcher.diagnose.retry import retry
from launcher.diagnose.rulebook import Rulebook
from launcher.diagnose.suggestion import Suggestion
from launcher.diagnose.verdict import Again, Amount, Dropped, Follower, Found, Line, Place, Proposed, Subject, Verdict

Answer: TypeAlias = Fix | Refusal
"""What becomes of a suggestion where there is a recipe."""


def verdict(subject: Subject, diagnosis: Diagnosis, rules: Rulebook, fixes: Sequence[Answer] = ()) -> Verdict:
    """A diagnosis with the words that go with its cause; `fixes` are what becomes of its suggestions."""
    root, explanation = diagnosis.root, diagnosis.explanation
    cause = rules.causes.get(root.cause) if root else None
    again = retry(root.cause, root.category, root.confidence) if root else None
    answers: list[Answer | None] = [*fixes, *[None] * (len(diagnosis.suggestions) - len(fixes))]
    return Verdict(
        subject=subject,
        healthy=diagnosis.healthy,
        cause=root.cause if root else None,
        category=root.category.value if root and root.category else None,
        confidence=root.confidence.value if root else None,
        title=cause.title.en if cause else "",
        title_zh=cause.title.zh if cause else "",
        root=Place(rank=root.rank, host=root.host, device=root.device) if root else None,
        order=root.order.value if root else None,
        also=root.also if root else (),
        why=root.why if root else "",
        explanation=explanation.en if explanation else "",
        explanation_zh=explanation.zh if explanation else "",
        evidence=_lines(root.evidence) if root else (),
        cascade=tuple(Follower(**each._asdict()) for each in root.cascade) if root else (),
        considered=tuple(
            Dropped(**{**each._asdict(), "evidence": _line(each.evidence) if each.evidence else None})
            for each in (root.considered if root else ())
        ),
        findings=tuple(map(_found, diagnosis.findings)),
        suggestions=tuple(
            _proposed(number, suggestion, answer)
            for number, (suggestion, answer) in enumerate(zip(diagnosis.suggestions, answers, strict=True), start=1)
        ),
        retry=Again(**again._asdict()) if again else None,
        counts=Amount(**diagnosis.counts._asdict()),
        notes=diagnosis.notes,
    )


def _line(evidence: Evidence) -> Line:
    return Line(file=evidence.file, line=evidence.line, text=evidence.text)


def _lines(evidence: Sequence[Evidence]) -> tuple[Line, ...]:
    return tuple(map(_line, evidence))


def _found(finding: Finding) -> Found:
    known: dict[str, Any] = {
        name: getattr(finding, name) for name in ("cause", "rule", "rank", "host", "device", "time")
    }
    return Found(
        **known,
        category=finding.category.value,
        role=finding.role.value,
        confidence=finding.confidence.value,
        evidence=_lines(finding.evidence),
        extracted=dict(finding.extracted),
    )


def _proposed(number: int, suggestion: Suggestion, answer: Answer | None) -> Proposed:
    return Proposed(
        number=number,
        id=suggestion.id,
        title=suggestion.title,
        title_zh=suggestion.title_zh,
        kind=suggestion.kind.value,
        change=dict(suggestion.change),
        why=suggestion.why,
        why_zh=suggestion.why_zh,
        overrides=answer.overrides if isinstance(answer, Fix) else (),
        words=str(answer) if isinstance(answer, Fix) else "",
        refused=answer.why if isinstance(answer, Refusal) else "",
    )
