"""Looks at what a recipe sets in `env`: whether it contradicts the contract, is out of range, or is spelt wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from launcher.errors import PlanError
from launcher.planning.environment import (
    cann,
    defaults,
    hccl,
    identity,
    mindspore_settings,
    torch_npu,
)
from launcher.planning.environment.choice import CONTRACTS
from launcher.planning.environment.contract import Contract
from launcher.planning.environment.rule import Breach
from launcher.planning.environment.variable import Variable
from launcher.planning.model import HostEnvironment, RankProcess
from launcher.specs import Framework, Recipe
from launcher.specs.placeholders import used
from launcher.specs.soc import Family, family_of

_OF_CONTRACTS: Final = (*chain.from_iterable(contract.variables for contract in CONTRACTS), *identity.OWNED)

CATALOGUE: Final[Mapping[str, Variable]] = {
    variable.name: variable
    for variable in (
        *defaults.VARIABLES,
        *mindspore_settings.VARIABLES,
        *hccl.VARIABLES,
        *cann.VARIABLES,
        *torch_npu.VARIABLES,
        *_OF_CONTRACTS,
    )
}

_FAMILIES: Final = (
    "HCCL_",
    "ASCEND_",
    "MS_",
    "TORCH_",
    "PYTORCH_",
    "GLOG_",
    "NPU_",
    "P2P_",
    "ACL_",
    "CM_",
    "TORCHELASTIC_",
)
_ALIKE: Final = 0.88  # of difflib: a letter or two of a name


def refuse_contradictions(recipe: Recipe, contract: Contract) -> None:
    """Raise PlanError when the recipe's `env` sets what only the plan can know, or what the contract excludes."""
    owned = {variable.name: variable for variable in (*contract.variables, *identity.OWNED)}
    names = [name for name in recipe.env if name in owned]
    if names:
        meanings = " ".join(f"{name}: {owned[name].meaning}" for name in names)
        raise PlanError(
            f"{', '.join(f'env.{name}' for name in names)}: npu-launch itself sets this for every rank",
            where=recipe.place("env", names[0]),
            expected=f"variables that are not part of how ranks find each other. {meanings}",
            remedy=f"remove {' and '.join(names)} from env; ranks and devices follow from `ranks` and the cluster",
        )
    for name in recipe.env:
        if name in contract.excludes:
            raise PlanError(
                f"env.{name} contradicts how {recipe.framework.value} ranks meet here: {contract.excludes[name]}",
                where=recipe.place("env", name),
                expected=f"env without {name}",
                remedy=f"remove {name} from env, or change rendezvous",
            )


def check_settings(recipe: Recipe, ranks: Sequence[RankProcess], soc: str) -> tuple[str, ...]:
    """Raise PlanError for settings of the recipe that no reader accepts; what is doubtful is returned as sentences.

    Only variables that somebody reads are looked at: those of HCCL and CANN on NPUs, and the framework's own. Another's
    may mean something else: a program with glog has any level in GLOG_v.
    """
    family = family_of(soc)
    known = {variable.name: variable for variable in _read_by(recipe.framework, family)}
    warnings: list[str] = []
    for name, written in recipe.env.items():
        variable = known.get(name)
        if variable is None:
            warnings += _likely_typos(recipe, name)
            continue
        values = variable.values_on(family)
        expected = f"{values.words} on {soc}" if family in variable.on else values.words
        texts = dict.fromkeys(rank.env[name] for rank in (ranks if any(used(written)) else ranks[:1]))
        if name in hccl.SAME_ON_ALL and len(texts) > 1:
            warnings.append(_placed(recipe, name, f"env.{name} differs from rank to rank, and HCCL wants one for all"))
        if name == hccl.OF_THE_HOST and len(texts) < len({rank.host for rank in ranks}):
            warnings.append(_placed(recipe, name, f"env.{name} is the address of one host, and ranks are on several"))
        for text in texts:
            if not values.accepts(text):
                breach = Breach(
                    (name,), f"env.{name} is {text[:200]!r}", expected, variable.source, variable.is_certain
                )
                _report(breach, recipe, warnings)
    for breach in _breaches(recipe.framework, ranks[0].env, family):
        if any(name in recipe.env for name in breach.names):
            _report(breach, recipe, warnings)
    return tuple(warnings)


def hidden_folders(recipe: Recipe, environments: Sequence[HostEnvironment]) -> Iterator[str]:
    """A sentence for each path list of the recipe that takes the place of what CANN put there, and lacks some of it."""
    for environment in environments:
        lists = (*environment.prepended.items(), *environment.appended.items())
        for name, parts in lists:
            if name in recipe.env and not set(parts.split(":")) <= set(recipe.env[name].split(":")):
                what = f"env.{name} takes the place of what {environment.files[0]} puts there, and lacks some of it"
                yield _placed(recipe, name, what)


def _read_by(framework: Framework, family: Family | None) -> Iterator[Variable]:
    yield from defaults.VARIABLES
    if family is not Family.CPU:
        yield from (*hccl.VARIABLES, *cann.VARIABLES)
        if framework is Framework.PYTORCH:
            yield from torch_npu.VARIABLES
    if framework is Framework.MINDSPORE:
        yield from mindspore_settings.VARIABLES


def _breaches(framework: Framework, env: Mapping[str, str], family: Family | None) -> Iterator[Breach]:
    if family is not Family.CPU:
        yield from hccl.breaches(env, family)
        if framework is Framework.PYTORCH:
            yield from torch_npu.breaches(env)
    if framework is Framework.MINDSPORE:
        yield from mindspore_settings.breaches(env)


def _report(breach: Breach, recipe: Recipe, warnings: list[str]) -> None:
    """Refuse what is certain, and note the rest."""
    name = next(name for name in breach.names if name in recipe.env)
    expected = f"{breach.expected} ({breach.source})"
    if breach.is_certain:
        raise PlanError(breach.what, where=recipe.place("env", name), expected=expected)
    warnings.append(_placed(recipe, name, f"{breach.what}; expected {expected}"))


def _placed(recipe: Recipe, name: str, sentence: str) -> str:
    """A sentence about a variable of the recipe, behind its place where that is known."""
    where = recipe.place("env", name)
    return f"{where}: {sentence}" if where else sentence


def _likely_typos(recipe: Recipe, name: str) -> Iterator[str]:
    """A sentence when an unknown name is much like a known one of the same family."""
    if name in CATALOGUE or not name.startswith(_FAMILIES):
        return
    from difflib import get_close_matches

    for close in get_close_matches(name, CATALOGUE, n=1, cutoff=_ALIKE):
        what = f"env.{name} is a variable that npu-launch does not know; did you mean {close}?"
        yield _placed(recipe, name, what)
