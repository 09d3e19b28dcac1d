"""The cluster that a command is about, when that is more than this machine."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launcher.hosts.ways import Ways
    from launcher.specs import Cluster


def spread_cluster(path: Path | None) -> Cluster | None:
    """The cluster of a spec; None without one, and for one that is this machine alone. Raises SpecError."""
    if path is None:
        return None
    from launcher.specs import load_cluster
    from launcher.supervise.spread import is_spread

    cluster = load_cluster(path)
    return cluster if is_spread(cluster) else None


@contextmanager
def interruptible(ways: Ways) -> Iterator[Ways]:
    """The ways to hosts for the time of a command, whose interrupt does not wait for what is being done there.

    Work on many hosts is done by threads, which are waited for: without connections they have nothing left to do.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=ways.close, daemon=True).start()  # it may have to wait for what was interrupted
        signal.default_int_handler(number, frame)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else interrupts are ignored, or have another meaning
        signal.signal(signal.SIGINT, interrupt)
    try:
        with ways:
            yield ways
    finally:
        signal.signal(signal.SIGINT, before)
