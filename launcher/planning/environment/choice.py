"""Which contract a job's ranks have: by the framework, and by how the recipe says that they find each other."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

from launcher.errors import PlanError
from launcher.planning.environment import mindspore, pytorch, tensorflow
from launcher.planning.environment.contract import Contract
from launcher.specs import Framework, Recipe, Rendezvous
from launcher.specs.soc import Family, family_of

_PLAIN: Final = Contract()  # ranks have what all ranks have, and meet, if at all, in their own way
_ON_NPUS: Final[Mapping[Framework, Mapping[Rendezvous, Contract]]] = {
    Framework.MINDSPORE: {
        Rendezvous.AUTO: mindspore.DYNAMIC_CLUSTER,
        Rendezvous.DYNAMIC_CLUSTER: mindspore.DYNAMIC_CLUSTER,
        Rendezvous.RANK_TABLE: mindspore.RANK_TABLE,
    },
    Framework.PYTORCH: {Rendezvous.AUTO: pytorch.CONTRACT},
    Framework.TENSORFLOW: {
        Rendezvous.AUTO: tensorflow.RANK_TABLE,
        Rendezvous.RANK_TABLE: tensorflow.RANK_TABLE,
        Rendezvous.CM: tensorflow.CM,
    },
    Framework.PLAIN: {Rendezvous.AUTO: _PLAIN},
}
_ON_CPU: Final[Mapping[Framework, Mapping[Rendezvous, Contract]]] = {
    Framework.MINDSPORE: {
        Rendezvous.AUTO: mindspore.DYNAMIC_CLUSTER,
        Rendezvous.DYNAMIC_CLUSTER: mindspore.DYNAMIC_CLUSTER,
    },
    Framework.PYTORCH: {Rendezvous.AUTO: pytorch.CONTRACT},
    Framework.TENSORFLOW: {Rendezvous.AUTO: tensorflow.ON_CPU},
    Framework.PLAIN: {Rendezvous.AUTO: _PLAIN},
}
CONTRACTS: Final = tuple(
    dict.fromkeys(chain.from_iterable(known.values() for known in (*_ON_NPUS.values(), *_ON_CPU.values())))
)
_KNOW_CM: Final = (Family.ASCEND910, Family.ASCEND910B)


def contract_of(recipe: Recipe, soc: str) -> Contract:
    """The contract of a recipe's ranks on such chips. Raises PlanError when they cannot meet as it says."""
    family = family_of(soc)
    contracts = (_ON_CPU if family is Family.CPU else _ON_NPUS)[recipe.framework]
    wanted = recipe.rendezvous
    where = recipe.place("rendezvous")
    if wanted not in contracts:
        known = ", ".join(rendezvous.value for rendezvous in contracts)
        raise PlanError(
            f"rendezvous is {wanted.value}, which {recipe.framework.value} ranks on {soc} do not know",
            where=where,
            expected=f"rendezvous: {known}" if len(contracts) == 1 else f"one of {known}",
        )
    if wanted is Rendezvous.CM and family not in _KNOW_CM:
        raise PlanError(
            f"rendezvous is cm, which there is not on {soc}",
            where=where,
            expected=f"{' or '.join(known.value for known in _KNOW_CM)} (hiascend.com, TensorFlow migration guide)",
            remedy="set rendezvous to rank_table",
        )
    return contracts[wanted]
