"""The chips that a cluster may name."""

from __future__ import annotations

import re
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

_NEW_CHIP = re.compile(r"Ascend\d{3}[A-Z_][A-Za-z0-9_-]{0,15}")


def check_soc(name: str) -> str:
    """Accept a known chip, and one that is newer than this list when its name has the form of Ascend names."""
    if name in KNOWN_SOCS or _NEW_CHIP.fullmatch(name):
        return name
    close = nearest(name, KNOWN_SOCS)
    raise refuse(f"is no SoC that npu-launch knows{f'; did you mean {close}?' if close else ''}")


def device_limit(soc: str) -> int:
    """How many devices a server of this chip can have.

    HCCL's parser of rank table 1.0 accepts device ids 0-7 on the first Ascend 910 and 0-15 on 310P, 910B and 910_93
    (cann-hccl, topoinfo_ranktableConcise.cc); rank table 2.0 knows 64 (HCCL user guide, cluster_info_config).
    """
    if soc == CPU:
        return 1024
    if soc in ("Ascend910A", "Ascend910ProA", "Ascend910B", "Ascend910ProB", "Ascend910PremiumA"):
        return 8
    return 16 if soc.startswith(("Ascend910", "Ascend310")) else 64
