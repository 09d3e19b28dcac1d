"""The chips that a cluster may name."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from launcher.specs.fields import refuse
from launcher.specs.nearest import nearest

CPU: Final = "CPU"

# Names as `acl.get_soc_name()` and the files of CANN's `data/platform_config/` spell them.
KNOWN_SOCS: Final = (
    CPU,
    *("Ascend910A", "Ascend910ProA", "Ascend910B", "Ascend910ProB", "Ascend910PremiumA"),
    *("Ascend910B1", "Ascend910B2", "Ascend910B2C", "Ascend910B3", "Ascend910B4", "Ascend910B4-1"),
    *("Ascend910_9362", "Ascend910_9372", "Ascend910_9381", "Ascend910_9382", "Ascend910_9391", "Ascend910_9392"),
    *("Ascend310", "Ascend310P1", "Ascend310P3", "Ascend310P5", "Ascend310P7"),
    *("Ascend310B1", "Ascend310B2", "Ascend310B3", "Ascend310B4", "Ascend950PR"),
)


class Family(str, Enum):
    """A generation of chips, as CANN's `Short_SoC_version` has it: what decides the format of a rank table."""

    CPU = "CPU"
    ASCEND910 = "Ascend910"
    ASCEND910B = "Ascend910B"
    ASCEND910_93 = "Ascend910_93"
    ASCEND310 = "Ascend310"
    ASCEND310P = "Ascend310P"
    ASCEND310B = "Ascend310B"
    ASCEND950 = "Ascend950"


# In spite of their names, Ascend910B and 910ProB are of the first generation; 910B1 to 910B4 are of the second.
_FIRST_910: Final = KNOWN_SOCS[1:6]
_BY_PREFIX: Final = (
    (re.compile(r"Ascend910B[0-9]"), Family.ASCEND910B),
    (re.compile(r"Ascend910_93"), Family.ASCEND910_93),
    (re.compile(r"Ascend950"), Family.ASCEND950),
    (re.compile(r"Ascend310P"), Family.ASCEND310P),
    (re.compile(r"Ascend310B"), Family.ASCEND310B),
    (re.compile(r"Ascend310$"), Family.ASCEND310),
)

NEW_CHIP: Final = "^Ascend[0-9]{3}[A-Z_][A-Za-z0-9_-]{0,15}$"


def check_soc(name: str) -> str:
    """Accept a known chip, and one that is newer than this list when its name has the form of Ascend names."""
    if name in KNOWN_SOCS or re.fullmatch(NEW_CHIP, name):
        return name
    close = nearest(name, KNOWN_SOCS) or _as_npu_smi_has_it(name)
    raise refuse(f"is no SoC that npu-launch knows{f'; did you mean {close}?' if close else ''}")


def _as_npu_smi_has_it(name: str) -> str | None:
    """The chip that `npu-smi info` shows as 910B3. 910B is what people call the second generation: nobody's guess."""
    meant = {chip.casefold(): chip for chip in KNOWN_SOCS if chip != "Ascend910B"}
    return meant.get(f"ascend{name}".casefold())


def family_of(soc: str) -> Family | None:
    """The generation of a chip; None for one that is newer than this list."""
    if soc == CPU:
        return Family.CPU
    if soc in _FIRST_910:
        return Family.ASCEND910
    return next((family for prefix, family in _BY_PREFIX if prefix.match(soc)), None)


def device_memory(soc: str) -> int | None:
    """Memory of one device in MB as `npu-smi info` counts it (SoCInfo of CANN's platform_config); None: not known."""
    if family_of(soc) is Family.ASCEND910 or soc in ("Ascend910B4", "Ascend910B4-1"):
        return 32768
    if soc in ("Ascend910B1", "Ascend910B2", "Ascend910B2C", "Ascend910B3") or family_of(soc) is Family.ASCEND910_93:
        return 65536
    return None


def device_limit(soc: str) -> int:
    """How many devices a server of this chip can have.

    HCCL's parser of rank table 1.0 accepts device ids 0-7 on the first Ascend 910 and 0-15 on 310P, 910B and 910_93
    (cann-hccl, topoinfo_ranktableConcise.cc); rank table 2.0 knows 64 (HCCL user guide, cluster_info_config).
    """
    if soc == CPU:
        return 1024
    if soc in _FIRST_910:
        return 8
    return 16 if soc.startswith(("Ascend910", "Ascend310")) else 64
