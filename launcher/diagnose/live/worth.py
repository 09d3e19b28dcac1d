"""Which finding of a log that is still written is worth a word while the run goes on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from launcher.diagnose.choosing import choose, most_telling
from launcher.diagnose.finding import Category, Confidence, Finding, Role
from launcher.logs.metrics import Step, reader_of
from launcher.logs.record import Source

_CATEGORIES: Final = frozenset(
    (
        Category.MEMORY,
        Category.COMMUNICATION,
        Category.OPERATOR,
        Category.HARDWARE,
        Category.ENVIRONMENT,
        Category.DATA,
        Category.PRECISION,
        Category.PERFORMANCE,
    )
)
"""What goes wrong under a job that goes on. A script's mistake, or software that does not fit, ends it at once."""

_LEAST_WEIGHT: Final = 45  # below, a finding tells only that something failed
_ROLES: Final = frozenset((Role.ROOT_CANDIDATE, Role.CASCADE))


def worth_telling(findings: Sequence[Finding], is_told: Callable[[Finding], bool]) -> Finding | None:
    """The one of the findings in a stretch of a log that people should hear of now; None where there is none.

    It is the one that a diagnosis of this stretch would choose, noise left out, without what they have been told; if it
    speaks of what goes wrong around the script, and does so with some certainty. What step lines say of the loss is
    told by who reads them.
    """
    found = choose([finding for finding in most_telling(findings) if not is_told(finding)])
    if found is None or found.category not in _CATEGORIES or found.role not in _ROLES:
        return None
    if found.weight < _LEAST_WEIGHT or found.confidence is Confidence.LOW or _is_of_a_step(found):
        return None
    return found


def _is_of_a_step(finding: Finding) -> bool:
    line = finding.evidence[0].text.encode(errors="surrogateescape")
    return finding.file.source is Source.STDOUT and isinstance(reader_of().observe(line), Step)
