"""Reads what a machine says of its NPUs in device nodes, `npu-smi info -m` and `/etc/hccn.conf`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from launcher.errors import PreflightError
from launcher.specs import Device

_DAVINCI = re.compile(r"davinci(\d+)")
_ADDRESS = re.compile(r"^\s*address_(\d+)\s*=\s*(\S+)\s*$", re.MULTILINE)


def read_npus(root: Path = Path("/"), npu_smi: str = "npu-smi") -> tuple[str, tuple[Device, ...]] | None:
    """The chip of this machine's NPUs and its devices with their network addresses, or None where there are none.

    Raises PreflightError when there are devices, but what they are cannot be told.
    """
    ids = device_ids(root)
    if not ids:
        return None
    addresses = hccn_addresses(_text(root / "etc/hccn.conf"))
    try:
        answer = subprocess.run(
            [npu_smi, "info", "-m"], capture_output=True, text=True, errors="replace", timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        answer = str(error)
    chips = chip_names(answer)
    if len(chips) != 1:
        raise PreflightError(
            f"{len(ids)} NPUs are here ({', '.join(f'davinci{i}' for i in ids)}), but their chip cannot be told",
            where=f"{npu_smi} info -m",
            expected=f"one chip name; it answered: {answer.strip()[:300] or 'nothing'}",
            remedy="name a cluster spec with soc and hosts: -c CLUSTER",
        )
    return chips.pop(), tuple(Device(id=number, ip=addresses.get(number)) for number in ids)


def device_ids(root: Path) -> tuple[int, ...]:
    """Physical ids of the NPUs whose device nodes `/dev/davinciN` are here, in order."""
    try:
        names = [path.name for path in (root / "dev").iterdir()]
    except OSError:
        return ()
    return tuple(sorted(int(match[1]) for name in names if (match := _DAVINCI.fullmatch(name))))


def chip_names(answer: str) -> set[str]:
    """Chip names in the table of `npu-smi info -m`, spelled as CANN does: `Ascend 910B3` is Ascend910B3.

    The name is the last column, columns stand two spaces or more apart, and rows of the management chip (`Mcu`) do not
    count (layouts of 910A, 910B and 910C: Ascend/mind-cluster, ascend_fd_tk/core/collect).
    """
    rows = [re.split(r"\s{2,}", line.strip()) for line in answer.splitlines()]
    return {row[-1].replace(" ", "") for row in rows if len(row) >= 4 and row[-1].startswith("Ascend")}


def hccn_addresses(text: str) -> dict[int, str]:
    """Device id to network address: `address_N=` lines of `/etc/hccn.conf` (mindspore-ai/models, hccl_tools)."""
    return {int(number): address for number, address in _ADDRESS.findall(text)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
