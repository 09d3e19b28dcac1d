"""What a shim has to know of an attempt's plan before it starts it."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple


class Plan(NamedTuple):
    """An attempt's plan and the folder it lies in; one that cannot be read has no content."""

    attempt: int
    content: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it
    folder: str = ""

    @property
    def is_independent(self) -> bool:
        """Whether it has nothing but ranks that need no others."""
        return bool(self.content) and not self.content["gang"] and not self.content["services"]

    @property
    def ranks(self) -> set[int]:
        return {rank["rank"] for rank in self.content["ranks"]}


def read_plan(path: str) -> Plan:
    """Read a plan. Raises OSError, or ValueError when it is none."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    try:
        return Plan(int(content["attempt"]), content, os.path.dirname(path))
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no plan: {error!r}") from None


def attempt_of(path: str) -> int:
    """The attempt whose folder a plan lies in, `attempts/N/plan.json`; 0 when it lies elsewhere."""
    name = os.path.basename(os.path.dirname(path))
    return int(name) if name.isdecimal() else 0
