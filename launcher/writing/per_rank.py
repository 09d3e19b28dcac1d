"""What differs from rank to rank, as one text with a placeholder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_NUMBERS: Final = re.compile(r"([0-9]+)")
_OF_A_HOST: Final = re.compile(r"local|device|card|npu|gpu|core", re.IGNORECASE)


def in_one(texts: Sequence[str], name: str) -> str | None:
    """The text that each rank's own is when `{rank}` or `{local_rank}` is filled in; None when there is none.

    `texts` are those of rank 0 onwards on one host, where both numbers are the same: what is called a device or local
    is taken for the number within the host.
    """
    if len(set(texts)) == 1:
        return texts[0]
    parts = [_NUMBERS.split(text) for text in texts]
    if len({len(each) for each in parts}) > 1:
        return None
    placeholder = "{local_rank}" if _OF_A_HOST.search(name) else "{rank}"
    columns = [_column(column, placeholder) for column in zip(*parts, strict=True)]
    return None if None in columns else "".join(map(str, columns))


def _column(values: Sequence[str], placeholder: str) -> str | None:
    """Numbers that are the ranks' own; those that count up from another (ports, seeds, 00) would end at the tenth."""
    if len(set(values)) == 1:
        return values[0]
    is_counted = all(value == str(rank) for rank, value in enumerate(values))
    return placeholder if is_counted else None
