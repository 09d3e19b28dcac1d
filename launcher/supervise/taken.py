"""What runs have claimed on a host: asked of it where it is another than this machine.

Run there as `python -m launcher.supervise.taken RUN`; it answers with one line of JSON.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

from launcher.errors import InfrastructureError
from launcher.hosts.probe import Root, listening
from launcher.planning.claims import BLOCK, BLOCKS, PORTS
from launcher.supervise.claims import Holder, Taken, claims_folder, holder_of
from launcher.supervise.shim.claims import is_claimed

_CLAIM = re.compile(r"(device|ports)-(\d+)")


def taken_here(run: str) -> Taken:
    """What this run cannot have on this machine; a folder of claims that cannot be read is the shim's to refuse."""
    folder = claims_folder()
    devices: dict[int, Holder] = {}
    blocks: set[int] = set()
    own: set[int] = set()
    for name in _names(folder):
        claim = _CLAIM.fullmatch(name)
        path = f"{folder}/{name}"
        if claim is None or not is_claimed(path):
            continue
        holder, number = holder_of(path), int(claim[2])
        if holder.run == run:
            own |= {number} if claim[1] == "ports" else set()
        elif claim[1] == "device":
            devices[number] = holder
        else:
            blocks.add(number)
    return Taken(devices, frozenset((blocks | _in_use()) - own))


def to_json(taken: Taken) -> str:
    """One line, as `from_json` reads it."""
    devices = {str(device): asdict(holder) for device, holder in taken.devices.items()}
    return json.dumps({"devices": devices, "blocks": sorted(taken.blocks)})


def from_json(host: str, line: bytes) -> Taken:
    """What a host answered. Raises InfrastructureError when that is something else."""
    try:
        found = json.loads(line)
        devices = {int(device): Holder(**holder) for device, holder in found["devices"].items()}
        return Taken(devices, frozenset(map(int, found["blocks"])))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InfrastructureError(
            f"host {host} was asked which devices are taken, and its answer is none",
            where=line[:200].decode(errors="replace"),
            expected="the answer of npu-launch of this version",
            remedy="npu-launch up CLUSTER brings the same npu-launch to all hosts",
        ) from error


def _names(folder: str) -> list[str]:
    try:
        return [path.name for path in Path(folder).iterdir()]
    except OSError:
        return []


def _in_use() -> set[int]:
    """The blocks in which somebody listens."""
    ports = listening(Root("/"), list(PORTS))
    first = BLOCKS.start
    return {first + (port - first) // BLOCK * BLOCK for port in ports}


def main() -> None:
    """Entry point: RUN."""
    print(to_json(taken_here(sys.argv[1])))


if __name__ == "__main__":
    main()
