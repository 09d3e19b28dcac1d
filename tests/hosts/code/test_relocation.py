"""A recipe's paths into its code lead to where the code lies on the hosts; all others stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import SpecError
from launcher.hosts.code.relocation import project_root, relocated
from launcher.planning.compose import plan
from launcher.specs import Recipe, cluster_from_mapping, load_recipe

FOLDER = "/home/train/.npu-launch/code/0123456789abcdef"


def recipe(project: Path, more: str = "", script: str = "../train.py") -> Recipe:
    path = project / "recipes/job.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"name: job\nframework: pytorch\nranks: 2\nscript: {script}\n{more}")
    return load_recipe(path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project/.git").mkdir(parents=True)
    return tmp_path / "project"


def test_the_code_is_the_work_tree_or_the_recipes_folder(project: Path, tmp_path: Path) -> None:
    assert project_root(project / "recipes/deep/job.yaml") == project
    assert project_root(tmp_path / "elsewhere/job.yaml") == tmp_path / "elsewhere"
    (project / "recipes/sub").mkdir(parents=True)
    (project / "recipes/sub/.git").write_text("gitdir: ../../.git/modules/sub")
    assert project_root(project / "recipes/sub/job.yaml") == project / "recipes/sub"


def test_paths_into_the_code_move_and_others_stay(project: Path) -> None:
    text = 'python: ../venv/bin/python\ndata: [../data, /data/imagenet]\nargs: {config: "{recipe_dir}/a.yaml"}\n'
    moved = relocated(recipe(project, text), project, FOLDER)
    assert moved.script_path == Path(f"{FOLDER}/train.py")
    assert moved.python_command == f"{FOLDER}/venv/bin/python"
    assert list(map(str, moved.data_paths)) == [f"{FOLDER}/data", "/data/imagenet"]
    cluster = cluster_from_mapping(
        {"name": "c", "soc": "CPU", "hosts": [{"name": "n", "address": "10.0.0.1", "devices": 2}]}
    )
    assert f"--config={FOLDER}/recipes/a.yaml" in plan(moved, cluster).ranks[0].argv


def test_a_command_is_no_path(project: Path) -> None:
    assert relocated(recipe(project, "python: python3.9\n"), project, FOLDER).python_command == "python3.9"


def test_a_recipe_that_was_reached_by_a_link_is_the_same(project: Path, tmp_path: Path) -> None:
    recipe(project)
    (tmp_path / "short").symlink_to(project)
    seen = load_recipe(tmp_path / "short/recipes/job.yaml")
    assert project_root(tmp_path / "short/recipes/job.yaml") == project
    moved = relocated(seen, project, FOLDER)
    assert (moved.script, moved.relative_to) == (f"{FOLDER}/train.py", f"{FOLDER}/recipes")


def test_a_script_outside_of_the_code_is_refused_naming_both(project: Path) -> None:
    with pytest.raises(SpecError) as refused:
        relocated(recipe(project, script="../../other/train.py"), project, FOLDER)
    assert str(project) in str(refused.value)
    assert "other/train.py" in str(refused.value)


@pytest.mark.parametrize("path", ["checkpoints", "{recipe_dir}/checkpoints", "c-{rank}"])
def test_checkpoints_are_never_written_into_a_snapshot(project: Path, path: str) -> None:
    text = f'checkpoint: {{dir: "{path}", resume_arg: resume}}\n'
    with pytest.raises(SpecError, match=r"run_dir.*checkpoints"):
        relocated(recipe(project, text), project, FOLDER)
    assert relocated(recipe(project, text), project, str(project)).script_path == project / "train.py"


@pytest.mark.parametrize("path", ["/data/ckpt", "{run_dir}/checkpoints"])
def test_checkpoints_elsewhere_stay_there(project: Path, path: str) -> None:
    moved = relocated(recipe(project, f'checkpoint: {{dir: "{path}", resume_arg: resume}}\n'), project, FOLDER)
    assert moved.checkpoint is not None
    assert moved.checkpoint.dir == path
