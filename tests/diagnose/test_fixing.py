"""A suggestion becomes a change of the recipe, or a reason why it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.diagnose.fixing.amounts import Amount, regrouped
from launcher.diagnose.fixing.fix import Fix, Refusal, fix_of
from launcher.diagnose.suggestion import SuggestionKind
from launcher.specs import Recipe
from launcher.specs.load import recipe_from_mapping

HALVE = {"knobs.micro_batch": "/2", "knobs.accumulation": "*2"}
KNOBS = {"micro_batch": "args.batch_size", "accumulation": "args.accumulation"}


def recipe(args: Mapping[str, Any] | None = None, **fields: Any) -> Recipe:
    values = {"batch_size": 32, "accumulation": 1} if args is None else dict(args)
    spec = {"name": "job", "framework": "plain", "ranks": 2, "script": "train.py", "args": values, "knobs": KNOBS}
    return recipe_from_mapping({**spec, **fields})


def fix(kind: SuggestionKind, change: Mapping[str, str], of: Recipe, env: Mapping[str, str] | None = None) -> Fix:
    found = fix_of(kind, change, of, env or {})
    assert isinstance(found, Fix), found
    return found


def refusal(kind: SuggestionKind, change: Mapping[str, str], of: Recipe) -> str:
    found = fix_of(kind, change, of)
    assert isinstance(found, Refusal), found
    return found.why


def test_half_the_micro_batch_is_made_up_for_by_accumulation() -> None:
    found = fix(SuggestionKind.SET, HALVE, recipe())
    assert found.overrides == ("args.batch_size=16", "args.accumulation=2")
    assert str(found) == "args.batch_size 32 -> 16, args.accumulation 1 -> 2"


@given(st.integers(1, 512), st.integers(1, 64))
def test_the_global_batch_stays_the_same_and_the_micro_batch_at_least_1(micro: int, times: int) -> None:
    found = regrouped(micro, times, Amount.read("/2"))
    if micro == 1:
        assert found is None
    else:
        assert found is not None
        assert found[0] * found[1] == micro * times
        assert 1 <= found[0] <= max(micro // 2, 1)


@pytest.mark.parametrize(
    ("args", "fields", "why"),
    [
        ({"batch_size": 1, "accumulation": 4}, {}, "args.batch_size is 1, which cannot become smaller"),
        ({"batch_size": 8}, {"knobs": {"micro_batch": "args.batch_size"}}, "the recipe has no knob accumulation"),
        ({"batch_size": 8}, {"knobs": {}}, "the recipe has no knob micro_batch: say which value that is"),
        ({"batch_size": "auto", "accumulation": 1}, {}, "args.batch_size is auto, not a whole number"),
    ],
)
def test_a_batch_that_cannot_be_cut_is_refused(args: Mapping[str, Any], fields: Mapping[str, Any], why: str) -> None:
    assert why in refusal(SuggestionKind.SET, HALVE, recipe(args, **fields))


def test_a_smaller_batch_alone_would_change_the_global_one() -> None:
    why = refusal(SuggestionKind.SET, {"knobs.micro_batch": "/2"}, recipe())
    assert why.startswith("the global batch would change")


@pytest.mark.parametrize(
    ("change", "env", "own", "override"),
    [
        ({"ENABLE_FORCE_V2_CONTROL": "1"}, {}, {}, "env.ENABLE_FORCE_V2_CONTROL=1"),
        ({"HCCL_EXEC_TIMEOUT": "*2"}, {}, {}, "env.HCCL_EXEC_TIMEOUT=3672"),
        ({"HCCL_EXEC_TIMEOUT": "*2"}, {"HCCL_EXEC_TIMEOUT": "100"}, {}, "env.HCCL_EXEC_TIMEOUT=200"),
        ({"HCCL_IF_BASE_PORT": "+64"}, {"HCCL_IF_BASE_PORT": "61000"}, {}, "env.HCCL_IF_BASE_PORT=61064"),
        ({"MASTER_PORT": "+17"}, {"MASTER_PORT": "29500"}, {}, "scheduler_port=29517"),
        ({"HCCL_BUFFSIZE": "/2"}, {"HCCL_BUFFSIZE": "400"}, {"HCCL_BUFFSIZE": "100"}, "env.HCCL_BUFFSIZE=50"),
    ],
)
def test_a_variable_is_changed_from_what_the_ranks_had(
    change: Mapping[str, str], env: Mapping[str, str], own: Mapping[str, str], override: str
) -> None:
    assert fix(SuggestionKind.ENV, change, recipe(env=dict(own)), env).overrides == (override,)


def test_a_variable_that_the_recipe_sets_already_is_no_fix() -> None:
    of = recipe(env={"ENABLE_FORCE_V2_CONTROL": "1"})
    assert refusal(SuggestionKind.ENV, {"ENABLE_FORCE_V2_CONTROL": "1"}, of) == "the recipe says so already"


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        (SuggestionKind.SET, {"hosts.devices": "0"}, "of the cluster, which a run keeps"),
        (SuggestionKind.SET, {"nonsense": "1"}, "no value of a recipe"),
        (SuggestionKind.SET, {"args.workers": "/2"}, "is not set, so /2 of it is nothing to go by"),
        (SuggestionKind.ENV, {"HCCL_SOCKET_IFNAME": "=<interface>"}, "is for a person to say"),
        (SuggestionKind.ENV, {"MY_LIMIT": "*2"}, "is not set"),
        (SuggestionKind.UPGRADE, {"cann": "8.2.RC1"}, "installed by a person"),
        (SuggestionKind.COMMAND, {"run": "npu-smi info"}, "a command for a person"),
        (SuggestionKind.EDIT, {"what": "the script"}, "for a person to do"),
    ],
)
def test_what_a_run_cannot_change_is_refused_with_the_reason(
    kind: SuggestionKind, change: Mapping[str, str], why: str
) -> None:
    assert why in refusal(kind, change, recipe())


def test_other_values_of_the_recipe_may_be_set() -> None:
    assert fix(SuggestionKind.SET, {"args.batch_size": "4", "lease": "*2"}, recipe()).overrides == (
        "args.batch_size=4",
        "lease=120.0",
    )
