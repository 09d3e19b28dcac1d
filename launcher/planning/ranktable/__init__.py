"""Rank tables: HCCL's description of a cluster, a module per format."""

from launcher.planning.ranktable.check import check_table
from launcher.planning.ranktable.cluster import cluster_of
from launcher.planning.ranktable.entry import RankEntry
from launcher.planning.ranktable.formats import Choice, RankTable, TableFormat, choose_format, format_of, rank_table
from launcher.planning.ranktable.reading import ranks_of, read_table
from launcher.planning.ranktable.violation import Violation
from launcher.planning.topology import Severity

__all__ = [
    "Choice",
    "RankEntry",
    "RankTable",
    "Severity",
    "TableFormat",
    "Violation",
    "check_table",
    "choose_format",
    "cluster_of",
    "format_of",
    "rank_table",
    "ranks_of",
    "read_table",
]
