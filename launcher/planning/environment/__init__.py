"""The variables of every process of a job: which contract ranks have, and the layers that their variables come in."""

from launcher.planning.environment.choice import CONTRACTS, contract_of
from launcher.planning.environment.contract import Contract, Job, Service
from launcher.planning.environment.defaults import default_variables
from launcher.planning.environment.identity import rank_identity, service_identity, shared_identity
from launcher.planning.environment.inherited import UNSET
from launcher.planning.environment.settings import CATALOGUE, check_settings, hidden_folders, refuse_contradictions

__all__ = [
    "CATALOGUE",
    "CONTRACTS",
    "UNSET",
    "Contract",
    "Job",
    "Service",
    "check_settings",
    "contract_of",
    "default_variables",
    "hidden_folders",
    "rank_identity",
    "refuse_contradictions",
    "service_identity",
    "shared_identity",
]
