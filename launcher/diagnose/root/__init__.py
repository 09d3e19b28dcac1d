"""Which rank broke first, and which only followed: from the findings and facts of all ranks' logs to one cause."""

from launcher.diagnose.root.cause import UNKNOWN, Cascade, Considered, Order, RootCause
from launcher.diagnose.root.collected import Death, Extent, Facts
from launcher.diagnose.root.deciding import root_cause
from launcher.diagnose.root.reading import FactReader

__all__ = [
    "UNKNOWN",
    "Cascade",
    "Considered",
    "Death",
    "Extent",
    "FactReader",
    "Facts",
    "Order",
    "RootCause",
    "root_cause",
]
