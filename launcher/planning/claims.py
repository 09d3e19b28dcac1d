"""The files whose locks stand for what one run of a machine alone can have: its devices, and a block of ports."""

from __future__ import annotations

from typing import Final

# Below the range from which Linux takes ports for outgoing connections (32768 on), so that none of those sits on ours.
PORTS: Final = range(20000, 30000)
BLOCK: Final = 64
BLOCKS: Final = range(PORTS.start, PORTS.stop - BLOCK + 1, BLOCK)


def device_claim(folder: str, device: int) -> str:
    """The file for a device, by its physical id."""
    return f"{folder}/device-{device}"


def ports_claim(folder: str, block: int) -> str:
    """The file for the block of ports that begins with this one."""
    return f"{folder}/ports-{block}"
