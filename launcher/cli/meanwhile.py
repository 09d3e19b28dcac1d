"""Something done while a person waits, who may leave."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from launcher.cli.output import talk

if TYPE_CHECKING:
    from launcher.cli.interrupts import Interrupts

_SILENCE: Final = 2.0  # seconds after which it is said what takes so long
_LEAVING: Final = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def done_meanwhile(work: Callable[[], None], interrupts: Interrupts, what: str) -> bool:
    """Wait for work that raises nothing; False when somebody does not want to. `what` tells of it if it takes long."""
    read, write = os.pipe()

    def carry_out() -> None:
        work()
        with suppress(OSError):  # somebody has left
            os.write(write, b".")

    threading.Thread(target=carry_out, daemon=True, name="meanwhile").start()
    silence: float | None = _SILENCE
    while True:
        ready, _, _ = select.select([read, interrupts.fd], [], [], silence)
        if not ready:
            silence = None
            talk(f"npu-launch: {what}")
        if read in ready:
            return True
        if interrupts.take() & _LEAVING:
            return False
