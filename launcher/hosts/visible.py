"""Which of a machine's NPUs ASCEND_RT_VISIBLE_DEVICES shows to the processes of a shell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from launcher.errors import UsageError
from launcher.specs import Device

VARIABLE: Final = "ASCEND_RT_VISIBLE_DEVICES"

_LIST: Final = re.compile(r"(0|[1-9][0-9]{0,3})(,(0|[1-9][0-9]{0,3}))*")


def visible_devices(devices: Sequence[Device], said: str) -> tuple[Device, ...]:
    """Those of a machine's devices, ascending by id, that the variable's value names.

    It has logical ids (CANN environment variable reference): they number from 0, by ascending physical id, the NPUs
    that are here. So on a host with all its NPUs they are the physical ones, and in a container, which may have just
    davinci4 to davinci7, they are not. Raises UsageError for what CANN would cut off or not find.
    """
    wrong = _what_is_wrong(said, len(devices))
    if wrong is not None:
        raise UsageError(
            f"{VARIABLE} is {said[:80]!r}, which {wrong}",
            where="cluster: auto",
            expected=f"some of the logical ids 0 to {len(devices) - 1}, ascending, commas between them and no blanks",
            remedy=f"unset {VARIABLE}, or name a cluster (-c FILE)",
        )
    return tuple(devices[int(number)] for number in said.split(","))


def _what_is_wrong(said: str, count: int) -> str | None:
    if not said:
        return "is empty and names no NPU"
    if not _LIST.fullmatch(said):
        return "is no list of numbers: CANN drops what follows the first character that does not fit"
    numbers = [int(number) for number in said.split(",")]
    if any(low >= high for low, high in pairwise(numbers)):
        return "is not ascending"
    return f"names {numbers[-1]}, and there are {count} NPUs" if numbers[-1] >= count else None
