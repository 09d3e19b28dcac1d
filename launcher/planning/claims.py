"""The files whose locks stand for what one run of a machine alone can have: its devices, and a block of ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.planning.place import hccl_ports

# Below the range from which Linux takes ports for outgoing connections (32768 on), so that none of those sits on ours.
PORTS: Final = range(20000, 30000)
BLOCK: Final = 64
BLOCKS: Final = range(PORTS.start, PORTS.stop - BLOCK + 1, BLOCK)

_HCCL: Final = "HCCL_IF_BASE_PORT"


def device_claim(folder: str, device: int) -> str:
    """The file for a device, by its physical id."""
    return f"{folder}/device-{device}"


def ports_claim(folder: str, block: int) -> str:
    """The file for the block of ports that begins with this one."""
    return f"{folder}/ports-{block}"


def named_blocks(env: Mapping[str, str]) -> tuple[int, ...]:
    """The blocks of ours that have ports which a recipe's variables make HCCL's; none for ports elsewhere."""
    base = env.get(_HCCL, "")
    if not (base.isascii() and base.isdecimal()):
        return ()
    ports = hccl_ports(int(base))
    return tuple(block for block in BLOCKS if block < ports.stop and ports.start < block + BLOCK)
