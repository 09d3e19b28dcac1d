"""The launch plan: a pure function of recipe, cluster and place, with no device, no network and no disk."""

from launcher.planning.compose import plan
from launcher.planning.layout import AttemptLayout, RankLayout, RunLayout, ServiceLayout
from launcher.planning.model import Checkpoints, Claim, LaunchPlan, RankProcess, ServiceProcess, Target
from launcher.planning.place import DEFAULT_HCCL_PORT, Place, hccl_ports
from launcher.planning.ranktable.formats import RankTable

__all__ = [
    "DEFAULT_HCCL_PORT",
    "AttemptLayout",
    "Checkpoints",
    "Claim",
    "LaunchPlan",
    "Place",
    "RankLayout",
    "RankProcess",
    "RankTable",
    "RunLayout",
    "ServiceLayout",
    "ServiceProcess",
    "Target",
    "hccl_ports",
    "plan",
]
