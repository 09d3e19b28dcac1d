"""What the figures were measured on, and how busy it was."""

from __future__ import annotations

import os
import platform
import time

import psutil


def describe() -> str:
    """The machine in a line."""
    memory = psutil.virtual_memory().total / (1 << 30)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, load before {load}"
    )


def wait_until_calm(seconds: float) -> float:
    """Wait, for so long at most, until a quarter of the processor is in use or less; the percentage then in use."""
    deadline = time.monotonic() + seconds
    while True:
        busy = psutil.cpu_percent(interval=0.3)
        if busy < 25 or time.monotonic() > deadline:
            return busy
