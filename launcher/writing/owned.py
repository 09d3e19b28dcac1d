"""Variables that npu-launch gives to ranks, which a recipe may therefore not set."""

from __future__ import annotations

from launcher.errors import PlanError
from launcher.planning.environment import contract_of
from launcher.planning.environment.identity import OWNED
from launcher.specs import Framework, Recipe, Rendezvous

_AN_NPU = "Ascend910B3"
_NO_NPU = "CPU"


def owned_by(framework: Framework, rendezvous: Rendezvous) -> frozenset[str]:
    """Their names, in a job of this kind, on NPUs or on CPU."""
    recipe = Recipe(name="any", framework=framework, ranks=2, script="train.py", rendezvous=rendezvous)
    names = {variable.name for variable in OWNED}
    for soc in (_AN_NPU, _NO_NPU):
        try:
            contract = contract_of(recipe, soc)
        except PlanError:  # such ranks cannot meet there
            continue
        names |= {variable.name for variable in contract.variables} | set(contract.excludes)
    return frozenset(names)
