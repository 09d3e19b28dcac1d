"""The words in braces that a recipe may use where a run is not known yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

PLACEHOLDERS: Final[Mapping[str, str]] = {
    "run": "the run's id",
    "run_dir": "the run's directory, the same path on every host",
    "attempt_dir": "the folder of this attempt in the run directory",
    "rank_dir": "this rank's own working folder, new for each attempt",
    "checkpoint_dir": "what `checkpoint.dir` comes to",
    "recipe_dir": "the folder that the recipe lies in",
    "rank": "the rank, from 0",
    "local_rank": "the rank within its host, from 0",
    "world_size": "the number of ranks",
}

_WORD = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder once; any other text in braces, JSON for one, stays as it is.

    Raises KeyError when the text uses a placeholder that `values` does not have.
    """
    return _WORD.sub(lambda match: values[match.group(1)], text)


def used(text: str) -> Iterator[str]:
    """The names of the placeholders in a text, in order."""
    return (match.group(1) for match in _WORD.finditer(text))
