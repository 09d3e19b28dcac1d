"""The same from Python, for notebooks and schedulers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import launcher
from launcher import Cluster, Recipe, Run, launch, load_recipe, plan
from launcher.errors import SpecError, UsageError
from launcher.runs.state import RunPhase
from launcher.specs import Framework, Host
from tests.end_to_end import write_recipe


def test_every_name_of_the_package_is_there() -> None:
    assert all(getattr(launcher, name) is not None for name in launcher.__all__)
    assert callable(launcher.plan)


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, launcher; print([m for m in ('pydantic', 'ray', 'rich', 'mindspore') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_plan_is_made_from_values_alone() -> None:
    recipe = Recipe(name="r", framework=Framework.PLAIN, ranks=2, script="/bin/true", relative_to="/")
    cluster = Cluster(name="c", soc="CPU", hosts=(Host(name="h", address="127.0.0.1", devices=2),))
    assert [process.rank for process in plan(recipe, cluster).ranks] == [0, 1]


@pytest.mark.usefixtures("home")
def test_a_run_is_launched_waited_for_and_read(tmp_path: Path) -> None:
    run = launch(write_recipe(tmp_path, "echo hello; sleep 0.5; echo bye", ranks=2))
    assert not run.state.phase.ended
    assert sorted(run.logs(follow=True)) == [(0, "bye"), (0, "hello"), (1, "bye"), (1, "hello")]
    assert run.wait(timeout=30).phase is RunPhase.SUCCEEDED
    assert Run.find(run.id).directory == run.directory
    assert run.id in repr(run)


@pytest.mark.usefixtures("home")
def test_a_run_is_stopped(tmp_path: Path) -> None:
    run = launch(load_recipe(write_recipe(tmp_path, "sleep 60", ranks=2)), name="to be stopped")
    with pytest.raises(TimeoutError):
        run.wait(timeout=0.2)
    with pytest.raises(UsageError):
        run.rerun()
    assert run.stop().phase is RunPhase.STOPPED


@pytest.mark.usefixtures("home")
def test_a_recipe_that_is_not_there_is_an_error_of_the_tree(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        launch(tmp_path / "gone.yaml")
