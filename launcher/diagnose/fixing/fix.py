"""A change of a recipe that carries a suggestion out, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from launcher.diagnose.fixing.amounts import Amount, changed, regrouped
from launcher.diagnose.suggestion import SuggestionKind
from launcher.specs import Cluster, Recipe
from launcher.specs.dotted import NoSuchPath, look_up

MICRO_BATCH: Final = "micro_batch"
ACCUMULATION: Final = "accumulation"

_KNOB: Final = "knobs."
_ENV: Final = "env."
_MEETING: Final = {"MASTER_PORT": "scheduler_port", "MS_SCHED_PORT": "scheduler_port"}
"""Variables that npu-launch itself gives to ranks, and what of the recipe they come from."""

_NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})
_GAP: Final = "<"  # of a text in which something is left to be filled in
_FOR_PEOPLE: Final = {
    SuggestionKind.UPGRADE: "packages are installed by a person: the run cannot do that",
    SuggestionKind.COMMAND: "it is a command for a person to run, and no change of the recipe",
    SuggestionKind.EDIT: "it changes the script, the data or a file, which is for a person to do",
}


class Change(NamedTuple):
    """One value that becomes another; `before` is None where the recipe does not say."""

    what: str
    before: str | None
    after: str

    def __str__(self) -> str:
        """`args.batch_size 32 -> 16`, `env HCCL_BUFFSIZE=100`."""
        if self.what.startswith(_ENV):
            before = "" if self.before is None else f" (was {self.before})"
            return f"env {self.what.removeprefix(_ENV)}={self.after}{before}"
        return f"{self.what} {'-' if self.before is None else self.before} -> {self.after}"


class Fix(NamedTuple):
    """What is changed in a recipe."""

    changes: tuple[Change, ...]

    @property
    def overrides(self) -> tuple[str, ...]:
        """The same as `--set` takes it."""
        return tuple(f"{change.what}={change.after}" for change in self.changes)

    def __str__(self) -> str:
        return ", ".join(map(str, self.changes))


class Refusal(NamedTuple):
    """Why a suggestion is no change that can be made for a person."""

    why: str


class _Refused(Exception):
    """Carries the reason out of the depth."""


def fix_of(
    kind: SuggestionKind, change: Mapping[str, str], recipe: Recipe, env: Mapping[str, str] = _NO_VARIABLES
) -> Fix | Refusal:
    """How a suggestion changes a recipe, its relative values ("/2", "+60") made absolute.

    `env` is what the ranks had: a variable that the recipe does not set is changed from there. A smaller micro batch
    keeps the global batch: accumulation makes up for it exactly, or there is a refusal.
    """
    if kind in _FOR_PEOPLE:
        return Refusal(_FOR_PEOPLE[kind])
    try:
        if kind is SuggestionKind.ENV:
            changes = tuple(_env_changes(change, recipe, env))
        else:
            changes = tuple(_set_changes(change, recipe))
    except _Refused as refused:
        return Refusal(str(refused))
    if not changes:
        return Refusal("the recipe says so already")
    return Fix(changes)


def _env_changes(change: Mapping[str, str], recipe: Recipe, env: Mapping[str, str]) -> Iterator[Change]:
    for name, wanted in change.items():
        _no_gap(name, wanted)
        before = recipe.env.get(name, env.get(name))
        after = str(_amount(f"variable {name}", wanted, before if before is not None else _default(name)))
        if after != before:
            own = f"{_ENV}{name}"
            yield Change(own if name in recipe.env else _MEETING.get(name, own), before, after)


def _set_changes(change: Mapping[str, str], recipe: Recipe) -> Iterator[Change]:
    wanted = {_place(key, recipe): text for key, text in change.items()}
    micro, accumulation = recipe.knobs.get(MICRO_BATCH), recipe.knobs.get(ACCUMULATION)
    if micro in wanted and Amount.read(wanted[micro]) is not None:
        if accumulation is None or accumulation not in wanted:
            raise _Refused(f"the global batch would change: the recipe has no knob {ACCUMULATION}")
        yield from _smaller_batch(micro, accumulation, wanted[micro], recipe)
        del wanted[micro], wanted[accumulation]
    for dotted, text in wanted.items():
        _no_gap(dotted, text)
        before = _value(dotted, recipe)
        after = str(_amount(dotted, text, before))
        if before is None or after != str(before):
            yield Change(dotted, None if before is None else str(before), after)


def _smaller_batch(micro: str, accumulation: str, text: str, recipe: Recipe) -> Iterator[Change]:
    """Both values such that their product stays. Raises _Refused where there are none."""
    batch, times = (_whole(place, recipe) for place in (micro, accumulation))
    found = regrouped(batch, times, Amount.read(text))
    if found is None:
        raise _Refused(f"{micro} is {batch}, which cannot become smaller")
    yield Change(micro, str(batch), str(found[0]))
    yield Change(accumulation, str(times), str(found[1]))


def _place(key: str, recipe: Recipe) -> str:
    """The dotted path that a key of a suggestion stands for. Raises _Refused."""
    if key.startswith(_KNOB):
        knob = key.removeprefix(_KNOB)
        if knob not in recipe.knobs:
            raise _Refused(f"the recipe has no knob {knob}: say which value that is, with knobs: {{{knob}: args.NAME}}")
        return recipe.knobs[knob]
    head = key.partition(".")[0]
    if head in Recipe.model_fields:
        return key
    if head in Cluster.model_fields:
        raise _Refused(f"{key} is of the cluster, which a run keeps: change it in the cluster's file and launch anew")
    raise _Refused(f"{key} is no value of a recipe")


def _value(dotted: str, recipe: Recipe) -> Any:
    try:
        return look_up(recipe, dotted)
    except NoSuchPath:
        return None


def _whole(dotted: str, recipe: Recipe) -> int:
    value = _value(dotted, recipe)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Refused(f"{dotted} is {value}, not a whole number from 1 up")
    return value


def _amount(what: str, text: str, before: object) -> str | int | float:
    """What a value becomes by "16", "/2" or "+60". Raises _Refused for a relative one that nothing is known of."""
    amount = Amount.read(text)
    if amount is None:
        return text
    after = changed(before, amount)
    if after is None:
        raise _Refused(f"{what} is {'not set' if before is None else before}, so {text} of it is nothing to go by")
    return after


def _no_gap(key: str, text: str) -> None:
    if _GAP in text or " " in text.strip():
        raise _Refused(f"what {key} is to be is for a person to say: {text}")


def _default(name: str) -> str | None:
    """What a variable of CANN is where nobody sets it."""
    from launcher.planning.environment.settings import CATALOGUE

    known = CATALOGUE.get(name)
    return known.default if known is not None and known.default else None
