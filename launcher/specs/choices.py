"""What a recipe may choose from, beside its framework."""

from __future__ import annotations

from enum import Enum


class RankTableFormat(str, Enum):
    """Version of the rank table; `auto`: the one that the chip needs."""

    AUTO = "auto"
    V1_0 = "1.0"
    V1_2 = "1.2"
    V2_0 = "2.0"
    LEGACY = "legacy"


class Rendezvous(str, Enum):
    """How ranks find each other; `auto`: as the framework does by default."""

    AUTO = "auto"
    DYNAMIC_CLUSTER = "dynamic_cluster"
    RANK_TABLE = "rank_table"
    CM = "cm"


class Binding(str, Enum):
    """Whether a rank is bound to the processors near to its device; `auto`: where the host tells which those are."""

    AUTO = "auto"
    OFF = "off"


class Preflight(str, Enum):
    """How closely hosts are looked at before a run starts on them."""

    FAST = "fast"
    FULL = "full"
    OFF = "off"
