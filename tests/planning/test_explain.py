"""Each variable of a rank says where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from spec_strategies import jobs

from launcher.errors import UsageError
from launcher.planning.compose import plan
from launcher.planning.explain import ExplainedVariable, Explanation, From, explain, render_explanation
from launcher.planning.model import Environment, HostEnvironment, LaunchPlan
from launcher.planning.place import Place
from launcher.specs import Cluster, Host, Recipe, load_recipe

CLUSTER = Cluster(name="lab", soc="Ascend910B3", hosts=(Host(name="a", address="10.0.0.1", devices=8),))
CANN = "/opt/Ascend/cann/set_env.sh"
HOST = HostEnvironment(
    hosts=("a",),
    files=(CANN,),
    variables=Environment({"ASCEND_HOME_PATH": "/opt/Ascend/cann", "A": "of the host"}),
    prepended=Environment({"LD_LIBRARY_PATH": "/opt/Ascend/cann/lib64"}),
    appended=Environment({"LD_LIBRARY_PATH": "/usr/local/Ascend/driver/lib64"}),
)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "job.yaml"
    path.write_text(
        "name: job\nframework: pytorch\nranks: 8\nscript: train.py\n"
        'env:\n  A: "{rank}"\n  HCCL_CONNECT_TIMEOUT: 600\n  PYTHONUNBUFFERED: ""\n'
    )
    return load_recipe(path, env=["B=x\x1b[31m"])


def planned(recipe: Recipe, **more: Any) -> LaunchPlan:
    place = {"run": "job-1", "directory": "/runs/job-1", "scheduler_port": 8118, "python": "python3"} | more
    return plan(recipe, CLUSTER, Place(**place))


def explained(recipe: Recipe, rank: int = 3, **more: Any) -> dict[str, ExplainedVariable]:
    explanation = explain(planned(recipe, **more), recipe, CLUSTER, rank)
    return {variable.name: variable for variable in explanation.variables}


def test_a_variable_has_the_value_that_the_rank_gets(recipe: Recipe) -> None:
    launch = planned(recipe)
    for process in launch.ranks:
        variables = explain(launch, recipe, CLUSTER, process.rank).variables
        assert {v.name: v.value for v in variables if v.origin is not From.REMOVED} == dict(process.env)


def test_a_variable_of_the_contract_is_npu_launchs_alone(recipe: Recipe) -> None:
    rank = explained(recipe)["LOCAL_RANK"]
    assert (rank.value, rank.origin, rank.where) == ("3", From.CONTRACT, "")
    assert "within its host" in rank.meaning
    assert "torchrun" in rank.source


def test_a_default_says_so_and_what_the_reader_would_take(recipe: Recipe) -> None:
    port = explained(recipe)["HCCL_IF_BASE_PORT"]
    assert (port.origin, port.default) == (From.DEFAULT, "60000")


def test_a_variable_of_the_recipe_names_the_recipe_and_what_it_replaces(recipe: Recipe) -> None:
    variables = explained(recipe)
    assert variables["HCCL_CONNECT_TIMEOUT"].origin is From.RECIPE
    assert variables["HCCL_CONNECT_TIMEOUT"].where == f"{recipe.source}:7:25"
    assert variables["B"].where == "--env B=x\x1b[31m"
    assert variables["PYTHONUNBUFFERED"].replaces == "npu-launch's default"
    assert variables["A"].value == "3"


def test_what_set_env_leaves_names_the_script(recipe: Recipe) -> None:
    variables = explained(recipe, host_environments=(HOST,))
    assert variables["ASCEND_HOME_PATH"].origin is From.SET_ENV
    assert variables["ASCEND_HOME_PATH"].where == CANN
    libraries = variables["LD_LIBRARY_PATH"].value
    assert libraries == "/opt/Ascend/cann/lib64:(inherited):/usr/local/Ascend/driver/lib64"
    assert (variables["A"].origin, variables["A"].replaces) == (From.RECIPE, f"what {CANN} sets")


def test_what_another_launcher_left_is_shown_as_removed(recipe: Recipe) -> None:
    left = explained(recipe)["OMPI_COMM_WORLD_RANK"]
    assert (left.value, left.origin) == (None, From.REMOVED)


def test_a_rank_that_the_plan_does_not_have_is_refused(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="no rank 8 in the plan") as caught:
        explain(planned(recipe), recipe, CLUSTER, 8)
    assert caught.value.expected == "a rank from 0 to 7"


def test_an_explanation_is_a_value(recipe: Recipe) -> None:
    explanation = explain(planned(recipe, host_environments=(HOST,)), recipe, CLUSTER, 0)
    assert Explanation.model_validate_json(explanation.model_dump_json()) == explanation


def test_what_is_doubtful_is_said_with_it(recipe: Recipe) -> None:
    launch = planned(recipe, warnings=("HCCL may wait",))
    text = render_explanation(explain(launch, recipe, CLUSTER, 0))
    assert text.endswith("\nwarnings\n  HCCL may wait\n")


def test_the_text_drives_no_terminal_and_shows_every_variable(recipe: Recipe) -> None:
    near = tuple(("a", device, tuple(range(24))) for device in range(8))
    launch = planned(recipe, host_environments=(HOST,), near_cpus=near)
    text = render_explanation(explain(launch, recipe, CLUSTER, 1))
    assert "B=x\\x1b[31m" in text
    assert "\x1b" not in text
    assert "bound to processors 3-5," in text
    assert all(f"  {name}=" in text for name in launch.ranks[1].env)
    assert all(name in text for name in launch.unset)


@given(jobs())
@settings(max_examples=30, deadline=None)
def test_every_variable_of_any_job_is_explained_once(job: tuple[Recipe, Cluster, Place]) -> None:
    launch = plan(*job)
    names = [variable.name for variable in explain(launch, job[0], job[1], launch.world_size - 1).variables]
    assert len(set(names)) == len(names)
    assert set(names) == {*launch.ranks[-1].env, *launch.unset}
