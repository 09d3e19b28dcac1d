"""One thing that a table must or should be, and the sources that say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from launcher.planning.topology import Severity

PARSER: Final = "cann-hccl, topoinfo_ranktableParser.cc"
CONCISE: Final = "cann-hccl, topoinfo_ranktableConcise.cc"
STANDARD: Final = "cann-hccl, topoinfo_ranktableStandard.cc"
CONFIG: Final = "cann-hccl, config.cc"
GUIDE: Final = "HCCL user guide, cluster_info_config"
FAULTS: Final = "HCCL user guide, fault_diagnosis"
MINDSPORE: Final = "mindspore-ai/docs, rank_table.md"

PARA: Final = ("HCCL_E_PARA",)
OLD: Final = ("EI0004",)
BOTH: Final = ("EI0004", "EI0014")
NEW: Final = ("EI0014",)


@dataclass(frozen=True)
class Rule:
    """One thing that a table must or should be; those of this package are the catalogue.

    `codes` is what HCCL reports, that of older CANN first; where it is HCCL_E_PARA, CANN's log has
    `errNo[0x0000000005010001]`. `says` is HCCL's own text where it has one. The texts have `{words}` that a violation
    fills in.
    """

    name: str
    severity: Severity
    codes: tuple[str, ...]
    says: str
    remedy: str
    source: str


def refused(name: str, codes: tuple[str, ...], says: str, remedy: str, source: str) -> Rule:
    """What HCCL does not start with."""
    return Rule(name, Severity.REFUSED, codes, says, remedy, source)


def warning(name: str, says: str, remedy: str, source: str) -> Rule:
    """What HCCL may start with."""
    return Rule(name, Severity.WARNING, (), says, remedy, source)
