"""What `--set` and `--env` change, and whom they blame."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import SpecError
from launcher.specs import Recipe, RestartPolicy, load_recipe


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text("name: job\nframework: plain\nranks: 8\nscript: t.py\nargs: {batch_size: 4, tags: [a]}\n")
    return path


def refusal(file: Path, *sets: str, env: tuple[str, ...] = ()) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_recipe(file, sets, env)
    return caught.value


def arguments(recipe: Recipe) -> dict[object, object]:
    assert not isinstance(recipe.args, tuple)
    return dict(recipe.args)


def test_a_value_is_yaml(file: Path) -> None:
    sets = ["args.batch_size=8", 'args.a="8"', "args.b=[1, x]", "args.c=true", "args.d=", "args.e=a=b", "args.f=x: y"]
    assert arguments(load_recipe(file, sets)) == {
        "batch_size": 8,
        "tags": ("a",),
        "a": "8",
        "b": (1, "x"),
        "c": True,
        "d": None,
        "e": "a=b",
        "f": "x: y",
    }


def test_a_key_of_args_may_hold_dots(file: Path) -> None:
    assert arguments(load_recipe(file, ["args.model.width=16"]))["model.width"] == 16


def test_a_section_that_is_not_there_is_made(file: Path) -> None:
    assert load_recipe(file, ["restart.policy=group"]).restart.policy is RestartPolicy.GROUP


def test_the_last_of_two_wins(file: Path) -> None:
    assert load_recipe(file, ["ranks=4", "ranks=2"]).ranks == 2


def test_env_is_taken_as_it_stands(file: Path) -> None:
    recipe = load_recipe(file, ["env.C=1.10"], ["A=b=c", "B="])
    assert dict(recipe.env) == {"C": "1.10", "A": "b=c", "B": ""}


def test_a_wrong_value_is_blamed_on_the_option(file: Path) -> None:
    error = refusal(file, "ranks=eight")
    assert (error.where, error.what) == ("--set ranks=eight", "ranks is 'eight'")


def test_an_unknown_path_names_the_nearest_key(file: Path) -> None:
    error = refusal(file, "restart.polcy=group")
    assert error.where == "--set restart.polcy=group"
    assert error.remedy == "did you mean policy?"


def test_a_value_has_no_keys_below_it(file: Path) -> None:
    assert refusal(file, "ranks.x=1").what == "ranks is one value and has no keys"


@pytest.mark.parametrize("text", ["ranks", "=8", "args.=8", ".ranks=8", "args..x=1"])
def test_what_is_no_assignment_is_refused(file: Path, text: str) -> None:
    assert refusal(file, text).expected.startswith("--set KEY=VALUE")


def test_broken_yaml_is_blamed_on_the_option(file: Path) -> None:
    assert refusal(file, "args.x=[1").where.startswith("--set args.x=[1")


def test_env_without_a_name_is_refused(file: Path) -> None:
    assert refusal(file, env=("=1",)).where == "--env =1"
    assert refusal(file, env=("1A=1",)).where == "--env 1A=1"
