"""The catalogue: what HCCL, or who calls it, wants of a rank table, and what it says to one that is otherwise.

Sources: HCCL's parser (cann-hccl, topoinfo_ranktable*.cc and config.cc), whose successor in cann/hcomm reports EI0014
and EI0017 where older releases report EI0004; the HCCL user guide, cluster_info_config (which keys there are) and
fault_diagnosis (captured errors). A rule that no public source says HCCL to enforce is a warning.
"""

from launcher.planning.ranktable.rules import addresses, form, groups, levels, members, servers
from launcher.planning.ranktable.rules.rule import Rule

__all__ = ["Rule", "addresses", "form", "groups", "levels", "members", "servers"]
