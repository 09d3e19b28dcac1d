"""In the plan of a sweep each rank has its own values, and its own checkpoint; every form of the plan says so."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scripts import bash, complaints, cpus, npus, plain, planned, said

from launcher.errors import PlanError
from launcher.planning.compose import plan
from launcher.planning.devices_needed import fewer
from launcher.planning.difference import Side, Subject, difference
from launcher.planning.explain import explain, render_explanation
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.rendering import k8s_files, render_k8s, render_sh, render_text, sh_files
from launcher.specs import Container, Recipe, load_recipe, recipe_from_mapping
from launcher.specs.sweep import in_words

SWEEP: dict[str, Any] = {"args.lr": [0.1, 0.01], "args.fast": [True, None], "env.MODE": ["a", "{rank} b"]}
ARGS = {"lr": 1, "fast": None, "epochs": 3}


def swept(folder: Path = Path("/home/me"), **more: Any) -> Recipe:
    values = {"name": "job", "framework": "plain", "gang": False, "script": "say.py", "relative_to": str(folder)}
    return recipe_from_mapping(values | {"args": ARGS, "env": {"MODE": "x"}, "sweep": SWEEP} | more)


def launch(recipe: Recipe, **more: Any) -> LaunchPlan:
    place = {"run": "job-1", "directory": "/runs/job-1", "scheduler_port": 8118, "python": "python3"} | more
    return plan(recipe, cpus(), Place(**place))


CHECKPOINT = {"dir": "{run_dir}/c/{rank}", "resume_arg": "resume"}


def test_each_rank_has_its_own_command_line_and_environment() -> None:
    ranks = launch(swept()).ranks
    assert [rank.argv[2:] for rank in ranks[::2]] == [
        ("--lr=0.1", "--fast", "--epochs=3"),
        ("--lr=0.1", "--epochs=3"),
        ("--lr=0.01", "--fast", "--epochs=3"),
        ("--lr=0.01", "--epochs=3"),
    ]
    assert [rank.env["MODE"] for rank in ranks[:4]] == ["a", "1 b", "a", "3 b"]
    assert dict(ranks[5].combination) == {"args.lr": 0.01, "args.fast": True, "env.MODE": "{rank} b"}


def test_a_plan_of_a_sweep_reads_back_as_it_was_written() -> None:
    made = launch(swept(sweep={"args.lr": [[1, "a"], None, 0.5]}))
    assert LaunchPlan.model_validate_json(made.model_dump_json()) == made


def test_a_rank_that_starts_again_has_the_combination_that_it_had() -> None:
    whole, some = launch(swept()), launch(swept(), ranks=(6, 2), attempt=2)
    assert [rank.combination for rank in some.ranks] == [whole.ranks[2].combination, whole.ranks[6].combination]
    assert some.ranks[1].argv == whole.ranks[6].argv


def test_a_rank_goes_on_from_its_own_checkpoint_or_begins_anew() -> None:
    made = launch(
        swept(args={**ARGS, "resume": "mine"}, checkpoint=CHECKPOINT), own_checkpoints=((1, "/c/1/7"), (3, "/c/3/2"))
    )
    assert [rank.argv[-1] for rank in made.ranks[:4]] == [
        "--resume=mine",
        "--resume=/c/1/7",
        "--resume=mine",
        "--resume=/c/3/2",
    ]
    assert [rank.resume_from for rank in made.ranks[:4]] == [None, "/c/1/7", None, "/c/3/2"]
    assert made.checkpoints is not None
    assert made.checkpoints.each_its_own
    assert made.checkpoints.directories == tuple(f"/runs/job-1/c/{rank}" for rank in range(8))


@pytest.mark.parametrize(("gang", "folder"), [(True, "c/{rank}"), (False, "c")])
def test_ranks_of_a_gang_or_with_one_folder_go_on_from_one_checkpoint(gang: bool, folder: str) -> None:
    made = launch(swept(gang=gang, sweep={}, ranks=8, checkpoint={**CHECKPOINT, "dir": folder}))
    assert made.checkpoints is not None
    assert not made.checkpoints.each_its_own


def test_checkpoints_that_the_recipe_has_no_use_for_are_refused() -> None:
    with pytest.raises(PlanError, match="a checkpoint to resume from, /c/1/7, but the recipe does not say how"):
        launch(swept(), own_checkpoints=((1, "/c/1/7"),))


def test_the_text_lists_the_combinations() -> None:
    text = render_text(launch(swept()))
    assert "\nsweep\n  rank 0       lr=0.1 fast=true MODE=a\n  rank 1       lr=0.1 fast=true MODE='{rank} b'\n" in text
    assert "--lr=0.1 --fast --epochs=3 (rank 0; others differ)" in " ".join(text.split())
    assert "sweep" not in render_text(launch(swept(sweep={}, ranks=8)))


def test_of_many_combinations_the_text_lists_the_first() -> None:
    recipe = swept(sweep={"args.lr": list(range(20))})
    text = render_text(plan(recipe, cpus(each=20), Place.example(recipe)))
    assert "  rank 15      lr=15\n  4 more ranks have a combination of their own: -o json shows them\n" in text


def test_the_scripts_give_each_rank_its_values(tmp_path: Path) -> None:
    plain(tmp_path)
    made = planned(swept(tmp_path, sweep={**SWEEP, "args.lr": ["a'; touch x #", "\n$(touch x)"]}), cpus(), tmp_path)
    script = tmp_path / "launch.sh"
    script.write_text(render_sh(made))
    done = bash(script)
    assert done.returncode == 0, done.stderr
    for rank in made.ranks:
        told = said(rank)
        assert tuple(told["argv"]) == rank.argv[2:]
        assert told["env"]["MODE"] == rank.env["MODE"]
    assert complaints(script) == ""


def test_a_script_for_each_rank_has_the_values_of_that_rank(tmp_path: Path) -> None:
    scripts = {file.name: file.text for file in sh_files(planned(swept(tmp_path), cpus(), tmp_path))}
    assert "--lr=0.1 --fast --epochs=3" in scripts["rank_1.sh"]
    assert "--lr=0.01 --epochs=3" in scripts["rank_7.sh"]


def test_pods_of_several_hosts_give_each_rank_its_values() -> None:
    cluster = npus(*range(4), hosts=2, container=Container(image="train:1"))
    text = render_k8s(swept(), cluster, name="job", runs="/runs", python="python3")
    for rank in launch(swept()).ranks:
        assert f"{rank.rank}) command=(python3 {shlex.join(rank.argv[1:])}) ;;" in text
    files = k8s_files(swept(), cluster, name="job", runs="/runs", python="python3")
    assert all(list(yaml.safe_load_all(file.text)) for file in files)


def test_the_explanation_of_a_rank_has_its_combination_and_where_a_value_is_from(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(json.dumps({**swept().model_dump(mode="json", exclude_defaults=True), "relative_to": None}))
    recipe = load_recipe(file)
    explained = explain(launch(recipe), recipe, cpus(), 1)
    assert explained.combination == "lr=0.1 fast=true MODE='{rank} b'"
    assert "\nof the sweep: lr=0.1 fast=true MODE='{rank} b'\n" in render_explanation(explained)
    (mode,) = (variable for variable in explained.variables if variable.name == "MODE")
    assert (mode.value, mode.where) == ("1 b", recipe.place("sweep", "env.MODE"))
    assert recipe.place("sweep", "env.MODE") != recipe.place("env", "MODE")


def test_what_changed_in_a_sweep_is_said_of_the_ranks_that_it_changes() -> None:
    def side(**more: Any) -> Side:
        recipe = swept(**more)
        return Side(plan=launch(recipe), recipe=recipe, cluster=cpus())

    changes = difference(side(), side(sweep={**SWEEP, "args.lr": [0.1, 0.5]}))
    assert [(c.name, c.before, c.after) for c in changes if c.subject is Subject.RECIPE] == [
        ("sweep.args.lr", "[0.1, 0.01]", "[0.1, 0.5]")
    ]
    assert [(c.name, c.before, c.after, c.ranks) for c in changes if c.subject is Subject.RANKS] == [
        ("--lr", "0.01", "0.5", (4, 5, 6, 7))
    ]


def test_where_a_rank_goes_on_from_is_no_change() -> None:
    recipe = swept(checkpoint=CHECKPOINT)
    again = launch(recipe, attempt=2, own_checkpoints=((1, "/c/1/7"),))
    first = Side(plan=launch(recipe), recipe=recipe, cluster=cpus())
    assert difference(first, Side(plan=again, recipe=recipe, cluster=cpus())) == ()


def test_more_combinations_than_devices_are_refused_with_a_part_that_fits() -> None:
    with pytest.raises(PlanError) as caught:
        plan(swept(), npus(0, 1, 2, 3), Place.example(swept()))
    assert "a sweep of 8 combinations (2 x 2 x 2), but cluster lab has 4 devices on 1 host" in str(caught.value)
    assert caught.value.remedy == (
        "sweep in parts, one run after another, the first with --set 'sweep.args.lr=[0.1]', or add hosts to the cluster"
    )


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(1, 200))
def test_the_part_that_is_named_fits(lengths: list[int], devices: int) -> None:
    names = "abc"
    lists = {f"args.{name}": list(range(length)) for name, length in zip(names, lengths, strict=False)}
    recipe = swept(args=dict.fromkeys(names, 0), sweep=lists)
    if recipe.ranks <= devices:
        return
    remedy = fewer(recipe, devices)
    if "--set" not in remedy:
        assert recipe.ranks // lengths[0] > devices
        return
    option = shlex.split(remedy)[-1]
    dotted, _, value = option.partition("=")
    part = swept(args=dict.fromkeys(names, 0), sweep={**lists, dotted.removeprefix("sweep."): json.loads(value)})
    assert part.ranks <= devices


def test_words_of_a_combination_are_the_same_from_a_plan_on_disk() -> None:
    made = launch(swept(sweep={"args.lr": [[1, "a"], True, None]}))
    on_disk = json.loads(made.model_dump_json())["ranks"]
    assert [in_words(each["combination"]) for each in on_disk] == ["lr=[1,a]", "lr=true", "lr=null"]
