"""Lines that may say that something is wrong, found quickly: what their levels really are is for the grammars."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from launcher.logs.pattern import Pattern
from launcher.logs.search import Search

_WORDS: Final = (
    *("warn", "err", "crit", "fatal", "exception", "panic", "emerg", "alert", "traceback", "fault"),
    *('file "', "call stack", "terminate called", "aborted"),
)
_FORMS: Final = (
    r"(?:^|[\s:>\])|\[])[WEF] {0,2}\d{1,4}[ /]",  # glog
    r": [WEF] ",  # TensorFlow
    r"\b[EW][A-Z0-9]\d{4}[):\[]",  # codes of CANN
    r"^\s*[A-Za-z_.]+(?:Interrupt|Exit|Iteration|Warning)\b",  # the last lines of tracebacks
    r"<\d+>",  # the kernel's priorities
)


@lru_cache(maxsize=1)
def grave() -> Search:
    """Finds every line that a grammar would give the level WARNING or a graver one, and some others."""
    return Search(
        [
            *(Pattern(word, ignore_case=True) for word in _WORDS),
            *(Pattern(form, literal=False) for form in _FORMS),
        ]
    )
