"""Patterns by which a recipe describes the lines of its own script.

They are expressions of RE2, which has no backreferences and no lookaround and takes time linear in the line, whatever
the pattern: `(a+)+$` costs no more than any other. A backtracking engine that is given such a pattern may not come back
from one line, and with it the supervisor that reads the lines of all ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from launcher.specs.fields import Form, Text, refuse
from launcher.specs.nearest import nearest

if TYPE_CHECKING:
    import re

GROUPS = (
    "step",
    "steps",
    "epoch",
    "epochs",
    "loss",
    "lr",
    "loss_scale",
    "grad_norm",
    "step_time",
    "step_time_ms",
    "throughput",
    "accuracy",
)
MOST_PATTERNS = 20
_MEMORY = 1 << 20  # bytes that RE2 may take for a pattern
_MEMORY_OF_ALL = 64 << 20  # for all of a recipe together: more than each of them may take


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[bytes]:
    """The pattern for one line, whose bytes it is matched against as UTF-8. Raises PydanticCustomError.

    What RE2 returns has of `re.Pattern` what is used here: `search` and `groupindex`.
    """
    import re2

    try:
        found: re.Pattern[bytes] = re2.compile(pattern, _options())
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        raise refuse(f"is no pattern of RE2: {said}") from None
    return found


def any_of(texts: Sequence[str], patterns: Sequence[str]) -> re.Pattern[bytes]:
    """One expression that finds any of these texts, and what any of these patterns finds within one line."""
    import re2

    parts = [re2.escape(text) for text in texts] + [f"(?:{pattern})" for pattern in patterns]
    found: re.Pattern[bytes] = re2.compile(f"(?m)(?:{'|'.join(parts)})", _options(_MEMORY_OF_ALL, captures=False))
    return found


def check_pattern(pattern: str) -> str:
    """A pattern that has named groups, of these only, and does not match every line. Raises PydanticCustomError."""
    if "\n" in pattern or "\r" in pattern:
        raise refuse("holds a line break, which no line does")
    found = compiled(pattern)
    for name in found.groupindex:
        if name not in GROUPS:
            close = nearest(name, GROUPS)
            hint = f"; did you mean {close}?" if close else ""
            raise refuse(f"has a group {name}, which is none of {', '.join(GROUPS)}{hint}")
    if not found.groupindex:
        raise refuse(r"has no named group such as (?P<loss>\S+)")
    if found.search(b"") is not None:
        raise refuse("matches an empty line, and so every line")
    return pattern


MetricPattern = Annotated[
    Text,
    Field(min_length=1, max_length=1000),
    AfterValidator(check_pattern),
    Form(r"a pattern of RE2 with named groups such as (?P<loss>\S+)"),
]


def _options(memory: int = _MEMORY, *, captures: bool = True) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    options.never_nl = True
    options.never_capture = not captures
    return options
