"""`new`: what it writes, what it leaves alone, and what it says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from launcher.cli.main import main
from launcher.errors import ExitCode
from launcher.planning.compose import plan
from launcher.specs import Framework, FrozenMap, cluster_from_mapping, load_recipe
from launcher.writing.companions import companions
from launcher.writing.shipped import shipped_folder, shipped_recipes

CPUS = cluster_from_mapping({"name": "here", "soc": "CPU", "hosts": [{"name": "a", "devices": 64}]})


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("framework", Framework)
def test_a_template_is_a_recipe_that_can_be_planned(framework: Framework) -> None:
    assert main(["new", "my model", "--framework", framework.value]) == ExitCode.OK
    recipe = load_recipe(Path("my model.yaml"))
    assert (recipe.name, recipe.framework) == ("my model", framework)
    assert len(plan(recipe, CPUS).ranks) == 8


def test_what_is_there_is_not_overwritten_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.yaml").write_text("mine")
    assert main(["new", "job"]) == ExitCode.USAGE
    assert Path("job.yaml").read_text() == "mine"
    assert "job.yaml: is there already" in capsys.readouterr().err
    assert main(["new", "job", "--force"]) == ExitCode.OK
    assert load_recipe(Path("job.yaml")).name == "job"


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_can_be_begun_with(name: str) -> None:
    assert main(["new", "mine", "--from", name]) == ExitCode.OK
    recipe, original = load_recipe(Path("mine.yaml")), load_recipe(shipped_folder() / f"{name}.yaml")
    assert recipe == original.model_copy(update={"name": "mine"})
    assert recipe.script_path.is_file()
    comments = [line for line in (shipped_folder() / f"{name}.yaml").read_text().splitlines()[1:] if "#" in line]
    assert [line for line in Path("mine.yaml").read_text().splitlines() if "#" in line] == comments


def test_the_modules_that_a_shipped_script_imports_come_along(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine", "--from", "resnext_8p"]) == ExitCode.OK
    assert sorted(companions(shipped_folder(), "resnext/train.py")) == ["resnext", "training"]
    assert {path.name for path in Path().iterdir()} == {"mine.yaml", "resnext", "training"}
    assert not list(Path().rglob("__pycache__"))
    Path("resnext/train.py").write_text("changed")
    assert main(["new", "other", "--from", "resnext_8p"]) == ExitCode.OK
    assert Path("resnext/train.py").read_text() == "changed"
    assert "kept resnext/, training/" in capsys.readouterr().err


def test_a_recipe_of_ones_own_leads_to_the_same_files(tmp_path: Path) -> None:
    home = tmp_path / "jobs"
    (home / "sub").mkdir(parents=True)
    (home / "old.yaml").write_text(
        "name: old   # its name\nframework: plain\nranks: 2\nscript: fit.py  # beside\n"
        "data: [d, /abs]\ncluster: c.yaml\n"
    )
    assert main(["new", "jobs/sub/new one", "--from", "jobs/old.yaml"]) == ExitCode.OK
    written = (home / "sub" / "new one.yaml").read_text()
    assert written == (
        'name: "new one"   # its name\nframework: plain\nranks: 2\nscript: ../fit.py  # beside\n'
        "data: [../d, /abs]\ncluster: ../c.yaml\n"
    )
    new, old = load_recipe(home / "sub" / "new one.yaml"), load_recipe(home / "old.yaml")
    assert os.path.normpath(new.script_path) == os.path.normpath(old.script_path)


def test_a_recipe_that_a_script_became_leads_to_the_same_files_from_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / "jobs"
    (home / "conf").mkdir(parents=True)
    (home / "train.py").write_text("import torch\n")
    (home / "run.sh").write_text(
        "export CONF=$PWD/conf.yaml\nfor i in 0 1; do python train.py --c $PWD/conf --k '}' & done\n"
    )
    assert main(["new", "jobs/old", "--from-script", "jobs/run.sh"]) == ExitCode.OK
    (tmp_path / "other").mkdir()
    assert main(["new", "other/new", "--from", "jobs/old.yaml"]) == ExitCode.OK
    old, new = (plan(load_recipe(Path(name)), CPUS).ranks for name in ("jobs/old.yaml", "other/new.yaml"))
    for before, after in zip(old, new, strict=True):
        assert os.path.normpath(after.cwd) == os.path.normpath(before.cwd) == str(home)
        assert [word.replace("other/../", "") for word in after.argv] == list(before.argv)
        assert after.env["CONF"].replace("other/../", "") == before.env["CONF"] == str(home / "conf.yaml")


def test_other_places_of_a_recipe_come_along_as_well(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    Path("old.yaml").write_text(
        "name: old\nframework: plain\nranks: 1\nscript: fit.sh\ncwd: work  # there\n"
        'args: ["{recipe_dir}/a", "{rank}"]\nenv:\n  TEXT: |\n    {recipe_dir}/b\n  C: d\n'
        'checkpoint: {dir: "{recipe_dir}/ckpt/{rank}", resume_arg: r}\n'
    )
    assert main(["new", "sub/new", "--from", "old.yaml"]) == ExitCode.OK
    assert Path("sub/new.yaml").read_text() == (
        "name: new\nframework: plain\nranks: 1\nscript: ../fit.sh\ncwd: ../work  # there\n"
        'args: ["{recipe_dir}/../a", "{rank}"]\nenv:\n  TEXT: "{recipe_dir}/../b\\U0000000a"\n  C: d\n'
        'checkpoint: {dir: "{recipe_dir}/../ckpt/{rank}", resume_arg: r}\n'
    )


def test_a_folder_of_ones_own_that_is_no_copy_is_no_companion(capsys: pytest.CaptureFixture[str]) -> None:
    Path("training").mkdir()
    Path("training/mine.py").write_text("")
    assert main(["new", "mine", "--from", "resnext_8p"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "training: is there already, and has no " in said
    assert "write to another folder" in said
    assert [str(path) for path in sorted(Path().rglob("*"))] == ["training", "training/mine.py"]


@pytest.mark.parametrize("name", ["..", "...", "-x", "jobs/-x", ".yaml"])
def test_a_name_that_hides_or_looks_like_an_option_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("jobs").mkdir()
    assert main(["new", "--", name]) == ExitCode.USAGE
    assert f"NAME is '{name}'" in capsys.readouterr().err
    assert list(Path().rglob("*")) == [Path("jobs")]


def test_a_pipe_that_a_script_reads_is_not_opened() -> None:
    os.mkfifo("env.sh")
    os.mkfifo("train.py")
    Path("run.sh").write_text("source ./env.sh\nbash ./env.sh\npython train.py\n")
    assert main(["new", "job", "--from-script", "run.sh"]) == ExitCode.OK
    assert "env.sh" in Path("job.yaml").read_text()


def test_a_name_that_no_recipe_has_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine", "--from", "resnext_8"]) == ExitCode.USAGE
    assert "did you mean resnext_8p?" in capsys.readouterr().err
    assert not list(Path().iterdir())


def test_a_launch_script_becomes_a_recipe_named_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.py").write_text("import torch\n")
    Path("run_8p.sh").write_text("ulimit -n 1\nfor i in 0 1; do python train.py --rank $i --data $1 & done\nwait\n")
    assert main(["new", "--from-script", "run_8p.sh"]) == ExitCode.OK
    recipe = load_recipe(Path("run_8p.yaml"))
    assert (recipe.ranks, recipe.framework, recipe.script) == (2, Framework.PYTORCH, "train.py")
    said = capsys.readouterr().err
    assert "line 1: ulimit -n 1" in said
    assert "/FILL_IN/arg1" in said or "FILL_IN_arg1" in said
    assert "npu-launch plan run_8p.yaml" in said


def test_the_arguments_of_a_launch_script_can_be_given() -> None:
    Path("run.sh").write_text("torchrun --nproc_per_node=$1 train.py --data=$2\n")
    assert main(["new", "job", "--from-script", "run.sh", "--arg", "4", "--arg", "/data"]) == ExitCode.OK
    recipe = load_recipe(Path("job.yaml"))
    assert (recipe.ranks, recipe.args) == (4, FrozenMap({"data": "/data"}))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a", "--from", "resnext_8p", "--from-script", "x.sh"],
        ["a", "--arg", "x"],
        ["a", "--from", "resnext_8p", "--framework", "plain"],
        ["a", "--framework", "keras"],
        ["no/such/folder/a"],
        ["a", "--from", "nothing.yaml"],
        ["a", "--from-script", "nothing.sh"],
        ["/"],
        [""],
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    assert main(["new", *arguments]) == ExitCode.USAGE
    assert not list(Path().iterdir())


def test_nothing_is_written_for_a_script_that_starts_nothing() -> None:
    Path("run.sh").write_text("echo hello\n")
    assert main(["new", "job", "--from-script", "run.sh"]) == ExitCode.USAGE
    assert not Path("job.yaml").exists()


def test_a_recipe_of_a_script_starts_what_the_script_starts(tmp_path: Path) -> None:
    """The real bash runs the script with a `python` that writes its arguments down; the plan has the same ones."""
    stub, seen = tmp_path / "bin" / "python", tmp_path / "seen"
    stub.parent.mkdir()
    seen.mkdir()
    stub.write_text('#!/bin/sh\nshift\nprintf "%s\\n" "$@" > $SEEN/$RANK_ID\necho $SIZE >> $SEEN/$RANK_ID\n')
    stub.chmod(0o755)
    Path("train.py").write_text("import mindspore\n")
    Path("run.sh").write_text(
        'NAME="a b"; COMMON="--lr 0.1 --name=x"; export SIZE=$((4*2))\n'
        "for ((i=0; i<4; i++)); do export RANK_ID=$i; python train.py $COMMON --rank=$i --out out_$i "
        '--label="$NAME" --flag & done\nwait\n'
    )
    subprocess.run(
        ["bash", "run.sh"], env={"PATH": f"{stub.parent}:{os.environ['PATH']}", "SEEN": str(seen)}, check=True
    )
    assert main(["new", "job", "--from-script", "run.sh"]) == ExitCode.OK
    made = plan(load_recipe(Path("job.yaml")), CPUS)
    for rank in made.ranks:
        wanted = (seen / str(rank.rank)).read_text().splitlines()
        got = [word for argument in rank.argv[2:] for word in argument.split("=", 1)]
        assert [*got, rank.env["SIZE"]] == [word for argument in wanted for word in argument.split("=", 1)]
