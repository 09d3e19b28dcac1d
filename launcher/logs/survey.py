"""What a log that is there already says about progress, at a bounded cost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from launcher.logs.metrics import observe
from launcher.logs.progress import RankProgress, advance

# The head of a log says how long training is and what the first loss was, its tail where it stands.
_HEAD_SHARE = 8
TOTAL_BUDGET = 16 << 20
_LEAST_BUDGET = 1 << 16


@dataclass(frozen=True)
class Survey:
    """What a log says, and the offset up to which it was looked at: follow it from there."""

    progress: RankProgress
    offset: int


def survey(path: Path, budget: int = TOTAL_BUDGET) -> Survey:
    """Read a log, or the head and the tail of one larger than `budget` bytes; a missing file says nothing."""
    progress = RankProgress()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return Survey(progress, 0)
    try:
        size = os.fstat(descriptor).st_size
        head = size if size <= budget else budget // _HEAD_SHARE
        data = _pread(descriptor, head, 0)
        if size > budget:
            data = data[: data.rfind(b"\n") + 1]
            tail = _pread(descriptor, budget - head, size - (budget - head))
            data += tail[tail.find(b"\n") + 1 :]
    except OSError:
        return Survey(progress, 0)
    finally:
        os.close(descriptor)
    whole = data.rfind(b"\n") + 1
    for line in data[:whole].split(b"\n"):
        if (seen := observe(line)) is not None:
            progress = advance(progress, seen)
    return Survey(progress, size - (len(data) - whole))


def share_of(ranks: int) -> int:
    """The budget for one of so many ranks' logs."""
    return max(TOTAL_BUDGET // max(ranks, 1), _LEAST_BUDGET)


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    """Exactly these bytes of a regular file, or what there is."""
    parts = []
    while size > 0 and (part := os.pread(descriptor, size, offset)):
        parts.append(part)
        size -= len(part)
        offset += len(part)
    return b"".join(parts)
