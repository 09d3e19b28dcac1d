"""A sweep is one combination of values for each rank, and what does not fit it is told with its place."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from launcher.errors import SpecError
from launcher.specs import Recipe, dump_yaml, load_recipe, recipe_from_mapping
from launcher.specs.schema import recipe_schema
from launcher.specs.sweep import combination, combination_count, in_words

JOB: dict[str, Any] = {
    "name": "job",
    "framework": "plain",
    "gang": False,
    "script": "train.py",
    "args": {"lr": 0.1, "seed": 1, "fast": None},
    "env": {"MODE": "x", "lr": "y"},
}
FILE = """\
name: job
framework: plain
gang: false
script: train.py
args: {lr: 0.1, seed: 1}
env: {MODE: x}
sweep:
  args.lr: [1e-1, 0.01]
  env.MODE: [1.10, true]
"""
LISTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.lists(st.integers(), min_size=1, max_size=4), max_size=3)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(0, 1) | st.sampled_from(["", "1e-3", "{rank}", "a b"])


def recipe(**more: Any) -> Recipe:
    return recipe_from_mapping(JOB | more)


def refusal(**more: Any) -> str:
    with pytest.raises(SpecError) as caught:
        recipe(**more)
    return str(caught.value)


@given(LISTS.filter(bool))
def test_combinations_are_the_product_of_the_lists_in_their_order(lists: dict[str, list[int]]) -> None:
    expected = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    found = [combination(lists, rank) for rank in range(combination_count(lists))]
    assert found == expected
    assert [tuple(each) for each in found] == [tuple(lists)] * len(found)


@pytest.mark.parametrize("rank", [-1, 4])
def test_there_is_no_combination_beyond_the_last(rank: int) -> None:
    with pytest.raises(IndexError):
        combination({"a": [1, 2], "b": [3, 4]}, rank)


def test_without_a_sweep_no_rank_has_a_combination() -> None:
    assert combination({}, 7) == {}
    assert recipe(ranks=8).for_rank(7) == recipe(ranks=8)


def test_ranks_follow_from_the_sweep_and_may_be_said() -> None:
    lists = {"args.lr": [0.1, 0.01], "args.seed": [1, 2, 3]}
    assert recipe(sweep=lists).ranks == recipe(sweep=lists, ranks=6).ranks == 6


def test_a_rank_has_its_values_in_the_place_of_the_recipes() -> None:
    own = recipe(sweep={"args.lr": [0.1, 0.01], "env.MODE": [1, "b"]}).for_rank(2)
    assert list(own.args.items()) == [("lr", 0.01), ("seed", 1), ("fast", None)]  # type: ignore[union-attr]
    assert dict(own.env) == {"MODE": "1", "lr": "y"}


def test_a_combination_in_words_is_short_and_tells_args_from_env_where_names_are_the_same() -> None:
    assert in_words({"args.lr": 0.1, "args.optim.beta": (1, "a b"), "args.fast": True, "env.X": "a b"}) == (
        "lr=0.1 optim.beta=[1,'a b'] fast=true X='a b'"
    )
    assert in_words({"args.lr": None, "env.lr": "1"}) == "args.lr=null env.lr=1"


def test_values_are_what_they_are_in_args_and_env(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(FILE)
    assert dict(load_recipe(file).sweep) == {"args.lr": (0.1, 0.01), "env.MODE": ("1.10", "true")}


@given(st.lists(VALUES, min_size=1, max_size=4, unique_by=lambda value: (type(value), value)))
def test_a_sweep_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    written = recipe(sweep={"args.lr": values, "env.MODE": ["1", "true", "1.10"]})
    file = tmp_path_factory.mktemp("sweep") / "job.yaml"
    file.write_text(dump_yaml(written))
    assert load_recipe(file) == written


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"framework": "mindspore"}, "sweep is for ranks that train alone: mindspore is not framework plain"),
        ({"gang": True}, "sweep is for ranks of which none ends the others: say gang: false"),
        ({"ranks": 3}, "ranks is 3, but the sweep has 2 combinations (2): leave ranks out, or change the lists"),
        ({"sweep": {"args.lrr": [1]}}, "sweep.args.lrr takes the place of args.lrr, which is not there: did you mean"),
        (
            {"sweep": {"env.COLOUR": [1]}},
            "env.COLOUR, which is not there: add it, with the value that a single run has",
        ),
        ({"sweep": {"restart.policy": ["never"]}}, "'restart.policy', which is nothing in which ranks can differ"),
        ({"sweep": {"args.lr": []}}, "sweep.args.lr is an empty list\n  expected  a list of values, one at least"),
        ({"sweep": {"args.lr": 0.1}}, "sweep.args.lr is 0.1\n  expected  a list of values, one at least"),
        ({"sweep": {"args.lr": [0.1, 1, 0.1]}}, "sweep.args.lr.2 is 0.1 again: two ranks would do the same"),
        ({"sweep": {"args.lr": [{"a": 1}]}}, "sweep.args.lr.0 is a mapping, which is no value that an option can have"),
        ({"sweep": {"env.MODE": ["a", None]}}, "sweep.env.MODE.1 is no value that a variable can have"),
        ({"sweep": {"args.lr": ["{checkpoint_dir}"]}}, "sweep.args.lr.0 uses {checkpoint_dir}, but the recipe has no"),
        ({"args": ["--lr", "1"]}, "sweep.args.lr names args.lr, but args is a list"),
        ({"knobs": {"rate": "args.lr"}}, "knobs.rate names args.lr, of which each rank of the sweep has its own value"),
        (
            {"sweep": {"args.lr": list(range(1001)), "args.seed": list(range(1000))}},
            "sweep has 1001000 combinations, more than the 1000000 ranks of a job",
        ),
        (
            {"checkpoint": {"dir": "{run_dir}/checkpoints", "resume_arg": "resume"}},
            "checkpoint.dir is one folder for all ranks of the sweep, which would resume from each other's "
            "checkpoints: add {rank}, as in {run_dir}/checkpoints/{rank}",
        ),
    ],
)
def test_what_does_not_fit_a_sweep_is_one_error_that_says_so(more: dict[str, Any], told: str) -> None:
    assert told in refusal(**{"sweep": {"args.lr": [0.1, 0.01]}, **more})


def test_a_mistake_in_a_sweep_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(FILE.replace("0.01]", "1e-1]"))
    with pytest.raises(SpecError, match=rf"{file}:8:19: sweep.args.lr.1 is 0.1 again"):
        load_recipe(file)


def test_an_option_changes_the_lists_of_a_sweep(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(FILE)
    assert load_recipe(file, ["sweep.args.lr=[1, 2, 3]"]).ranks == 6
    assert load_recipe(file, ["sweep={}", "ranks=1", "args.lr=3"]).ranks == 1


def test_an_option_that_no_rank_would_see_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(FILE)
    with pytest.raises(SpecError, match=r"--set args\.lr=3: sets args\.lr, of which each rank .* own value") as caught:
        load_recipe(file, ["args.lr=3"])
    assert caught.value.remedy == "set the list: --set 'sweep.args.lr=[...]'"
    with pytest.raises(SpecError, match=r"--env MODE=3: sets env\.MODE"):
        load_recipe(file, env=["MODE=3"])


@pytest.mark.parametrize("values", [3, None, [1], {"args.lr": 3}])
def test_what_is_no_sweep_is_told_as_such(values: Any) -> None:
    assert "sweep" in refusal(sweep=values)


def test_the_schema_wants_ranks_or_a_sweep() -> None:
    accepts = Draft202012Validator(recipe_schema()).is_valid
    sweep = {"args.lr": [1, None, True, [1, "a"]], "env.A": ["b", 2]}
    assert accepts({**JOB, "sweep": sweep})
    assert accepts({**JOB, "ranks": 2})
    assert not accepts(JOB)
    assert not accepts({**JOB, "sweep": {"restart.policy": [1]}})
    assert not accepts({**JOB, "sweep": {"args.lr": []}})
