"""One environment variable: what it means, what it may be, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from launcher.planning.environment.values import ANYTHING, Values
from launcher.specs import FrozenMap
from launcher.specs.soc import Family

_NONE: Final = FrozenMap[Any, Any]()


@dataclass(frozen=True)
class Variable:
    """What is known of a variable.

    `default` is what its reader takes when it is not set, in words. `on` has the values on chips where they
    differ from `values`. Where `is_certain` is false, the source is not the maker's own documentation: a value that
    breaks the rule is warned of and not refused.
    """

    name: str
    meaning: str
    source: str
    values: Values = ANYTHING
    default: str = ""
    is_certain: bool = True
    on: Mapping[Family, Values] = _NONE

    def values_on(self, family: Family | None) -> Values:
        """What it may be on a generation of chips; None stands for one that is not known."""
        return self.values if family is None else self.on.get(family, self.values)
