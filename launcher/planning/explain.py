"""Where each variable of a rank comes from, what it means, and who says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from launcher.errors import UsageError
from launcher.planning.environment import CATALOGUE
from launcher.planning.lines import printable, wrapped
from launcher.planning.model import HostEnvironment, LaunchPlan, Origin, RankProcess
from launcher.planning.rendering.parts import spans
from launcher.specs import Cluster, Recipe
from launcher.specs.sweep import in_words

_INDENT: Final = "    "


class From(str, Enum):
    """Who has the last word on a variable."""

    DEFAULT = "default"  # npu-launch's, where the recipe says nothing
    RECIPE = "recipe"
    CONTRACT = "contract"  # who the rank is and how ranks meet: npu-launch's alone
    SET_ENV = "set_env.sh"
    REMOVED = "removed"  # inherited by no process


class _Value(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class ExplainedVariable(_Value):
    """One variable of a rank."""

    name: str
    value: str | None = Field(description="None where it is removed.")
    origin: From
    where: str = Field(description="File, line or option that says so, where one does.")
    replaces: str = Field(description="What would hold without it, as a sentence; empty when nothing would.")
    meaning: str
    default: str = Field(description="What its reader takes when it is not set, in words.")
    source: str = Field(description="Who documents it.")


class Explanation(_Value):
    """What one rank runs with."""

    run: str
    rank: int
    host: str
    device: int | None
    contract: str
    combination: str = Field(description="What the rank has of the recipe's sweep, in words; empty without one.")
    cpus: tuple[int, ...] | None
    variables: tuple[ExplainedVariable, ...]
    warnings: tuple[str, ...] = Field(description="What is doubtful about the plan, as sentences.")


def explain(plan: LaunchPlan, recipe: Recipe, cluster: Cluster, rank: int) -> Explanation:
    """The variables of one rank, by their origin.

    The plan has noted itself, as it was put together, who gave it which names. Raises UsageError for a rank that it
    does not have.
    """
    process = next((process for process in plan.ranks if process.rank == rank), None)
    if process is None:
        ranks = [process.rank for process in plan.ranks]
        raise UsageError(f"no rank {rank} in the plan", expected=f"a rank from {ranks[0]} to {ranks[-1]}")
    if not plan.layers:
        raise UsageError("the plan does not say where its variables come from", remedy="plan the recipe anew")
    rendezvous = recipe.rendezvous.value
    return Explanation(
        run=plan.run,
        rank=rank,
        host=process.host,
        device=process.device,
        contract=f"{plan.framework.value} on {cluster.soc}, rendezvous {rendezvous}",
        combination=in_words(process.combination),
        cpus=process.cpus,
        variables=(*_own(plan, recipe, process), *_of_host(plan, process), *_removed(plan, process)),
        warnings=plan.warnings,
    )


def _own(plan: LaunchPlan, recipe: Recipe, process: RankProcess) -> Iterator[ExplainedVariable]:
    origins: dict[str, list[Origin]] = {}
    for layer in plan.layers:
        for name in layer.names:
            origins.setdefault(name, []).append(layer.origin)
    set_by_host = _host_names(plan.host_environment(process.host))
    for name, value in process.env.items():
        *below, last = origins[name]
        lower = ["npu-launch's default"] * (Origin.DEFAULT in below)
        if name in set_by_host:
            lower.append(f"what {set_by_host[name]} sets")
        where = ""
        if last is Origin.RECIPE:
            swept = f"env.{name}"
            where = recipe.place("sweep", swept) if swept in process.combination else recipe.place("env", name)
        yield _explained(name, value, From(last.value), where, " and ".join(lower))


def _of_host(plan: LaunchPlan, process: RankProcess) -> Iterator[ExplainedVariable]:
    """What set_env.sh leaves, where the rank's own environment does not hide it."""
    environment = plan.host_environment(process.host)
    if environment is None:
        return
    where = ", ".join(environment.files)
    for name, value in environment.variables.items():
        if name not in process.env:
            yield _explained(name, value, From.SET_ENV, where)
    for name in dict.fromkeys((*environment.prepended, *environment.appended)):
        if name not in process.env:
            before, after = environment.prepended.get(name), environment.appended.get(name)
            value = ":".join(part for part in (before, "(inherited)", after) if part)
            yield _explained(name, value, From.SET_ENV, where)


def _removed(plan: LaunchPlan, process: RankProcess) -> Iterator[ExplainedVariable]:
    for name in plan.unset:
        if name not in process.env:
            yield _explained(name, None, From.REMOVED, "")


def _host_names(environment: HostEnvironment | None) -> Mapping[str, str]:
    if environment is None:
        return {}
    names = (*environment.variables, *environment.prepended, *environment.appended)
    return dict.fromkeys(names, environment.files[0])


def _explained(name: str, value: str | None, origin: From, where: str, replaces: str = "") -> ExplainedVariable:
    known = CATALOGUE.get(name)
    return ExplainedVariable(
        name=name,
        value=value,
        origin=origin,
        where=where,
        replaces=replaces,
        meaning=known.meaning if known else "",
        default=known.default if known else "",
        source=known.source if known else "",
    )


# -- for a person ------------------------------------------------------------------------------------------------------

_HEADS: Final[Mapping[From, str]] = {
    From.CONTRACT: "who the rank is, and how ranks meet: set by npu-launch, not for a recipe to change",
    From.RECIPE: "from the recipe",
    From.DEFAULT: "npu-launch's defaults, which the recipe may change",
    From.SET_ENV: "from CANN's set_env.sh on the host",
    From.REMOVED: "removed from what the launching shell has",
}


def render_explanation(explanation: Explanation) -> str:
    """An explanation to be read: each variable with its origin, its meaning and its source."""
    return "\n".join(printable(line) for line in _lines(explanation)) + "\n"


def _lines(explanation: Explanation) -> Iterator[str]:
    device = "" if explanation.device is None else f", device {explanation.device}"
    yield f"rank {explanation.rank} of run {explanation.run}, on {explanation.host}{device}: {explanation.contract}"
    if explanation.combination:
        yield f"of the sweep: {explanation.combination}"
    if explanation.cpus is not None:
        yield f"bound to processors {spans(explanation.cpus)}, which are near to its device"
    for origin, head in _HEADS.items():
        variables = [variable for variable in explanation.variables if variable.origin is origin]
        if not variables:
            continue
        yield ""
        yield head
        if origin is From.REMOVED:
            yield from wrapped("  ", "  ", (variable.name for variable in variables))
            continue
        for variable in variables:
            yield f"  {variable.name}={variable.value}"
            if about := list(_about(variable)):
                yield from wrapped(_INDENT, _INDENT, about)
    if explanation.warnings:
        yield ""
        yield "warnings"
        for warning in explanation.warnings:
            yield from wrapped("  ", "    ", warning.split(" "))


def _about(variable: ExplainedVariable) -> Iterator[str]:
    """The words of what is known of a variable; places and sources are not broken."""
    if variable.where:
        yield f"{variable.where}:"
    yield from variable.meaning.split()
    if variable.replaces:
        yield from f"It replaces {variable.replaces}.".split()
    if variable.default:
        yield from f"Unset it means: {variable.default}.".split()
    if variable.source and variable.source != "npu-launch":
        yield f"({variable.source})"
