"""`plan`: what it writes, where, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from launcher.cli.main import main
from launcher.errors import ExitCode
from tests.end_to_end import latest, npu_launch, write_recipe

pytestmark = pytest.mark.usefixtures("home")

SAY = 'echo "$NPU_LAUNCH_RANK $COLOUR"'


def cluster(folder: Path, **more: object) -> Path:
    file = folder / "cluster.yaml"
    devices = [{"id": device, "ip": f"192.168.{device}.8"} for device in range(4)]
    hosts = [{"name": "node-a", "address": "10.0.0.10", "devices": devices}]
    file.write_text(json.dumps({"name": "lab", "soc": "Ascend910B3", "hosts": hosts, **more}))
    return file


def test_a_folder_of_scripts_starts_the_job(tmp_path: Path) -> None:
    recipe, out = write_recipe(tmp_path, SAY, env={"COLOUR": "blue"}), tmp_path / "a folder"
    done = npu_launch("plan", recipe, "-o", "sh", "--out", out)
    assert (done.code, done.out) == (ExitCode.OK, "")
    assert f"wrote launch.sh, rank_0.sh to rank_3.sh into {out}; next:\n  '{out}/launch.sh'" in done.err
    modes = {file.name: file.stat().st_mode & 0o777 for file in out.iterdir() if file.suffix == ".sh"}
    assert modes == dict.fromkeys(["launch.sh", *(f"rank_{rank}.sh" for rank in range(4))], 0o755)
    started = subprocess.run([out / "launch.sh"], capture_output=True, text=True, timeout=60)
    assert started.returncode == 0, started.stderr
    logs = [Path(line.partition(": ")[2]) for line in started.stderr.splitlines()]
    assert [log.read_text() for log in logs] == [f"{rank} blue\n" for rank in range(4)]


def test_a_folder_can_be_written_again_until_somebody_changes_it(tmp_path: Path) -> None:
    recipe, out = write_recipe(tmp_path, SAY), tmp_path / "out"
    out.mkdir()
    (out / "notes").write_text("mine")
    assert npu_launch("plan", recipe, "-o", "sh", "--out", out).code == ExitCode.OK
    assert npu_launch("plan", recipe, "-o", "sh", "--out", out, "--set", "ranks=2").code == ExitCode.OK
    names = {"notes", "launch.sh", "rank_0.sh", "rank_1.sh", ".npu-launch-plan.json"}
    assert {file.name for file in out.iterdir()} == names
    (out / "rank_1.sh").write_text("mine")
    refused = npu_launch("plan", recipe, "-o", "sh", "--out", out)
    assert refused.code == ExitCode.USAGE
    assert f"{out}: rank_1.sh would be overwritten" in refused.err
    assert (out / "rank_1.sh").read_text() == (out / "notes").read_text() == "mine"


def test_a_link_and_a_folder_in_the_way_are_left_alone(tmp_path: Path) -> None:
    recipe, out = write_recipe(tmp_path, SAY), tmp_path / "out"
    (out / "rank_0.sh").mkdir(parents=True)
    (out / "launch.sh").symlink_to(tmp_path / "elsewhere")
    (out / ".npu-launch-plan.json").write_bytes(b"\xff\x00{")
    refused = npu_launch("plan", recipe, "-o", "sh", "--out", out)
    assert refused.code == ExitCode.USAGE
    assert "launch.sh, rank_0.sh would be overwritten" in refused.err
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    done = npu_launch("plan", write_recipe(tmp_path, SAY), "-o", "sh", "--out", tmp_path / "recipe.yaml")
    assert done.code == ExitCode.INFRASTRUCTURE
    assert "cannot write" in done.err


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("docker", {"docker.sh", "launch.sh", "hccl.json", "rank_0.sh", "rank_1.sh", "rank_2.sh", "rank_3.sh"}),
        ("slurm", {"job.sbatch"}),
        ("k8s", {"volcano-job.yaml", "ascend-job.yaml"}),
    ],
)
def test_every_format_has_its_files_and_one_text(tmp_path: Path, output: str, names: set[str]) -> None:
    recipe = write_recipe(tmp_path, SAY)
    on = ("-c", cluster(tmp_path, container={"image": "train:1"}))
    assert npu_launch("plan", recipe, *on, "-o", output, "--out", tmp_path / "out").code == ExitCode.OK
    assert {file.name for file in (tmp_path / "out").iterdir()} == names | {".npu-launch-plan.json"}
    shown = npu_launch("plan", recipe, *on, "-o", output)
    assert (shown.code, shown.err) == (ExitCode.OK, "")


def test_a_cluster_without_an_image_is_refused(tmp_path: Path) -> None:
    for output in ("docker", "k8s"):
        done = npu_launch("plan", write_recipe(tmp_path, SAY), "-c", cluster(tmp_path), "-o", output)
        assert done.code == ExitCode.USAGE
        assert "cluster.yaml: cluster lab does not say which image ranks run in" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "x"), "--out writes scripts\n  expected  -o sh, docker, slurm or k8s with it"),
        (("-o", "sh", "--out", ""), "--out is ''\n  expected  a folder, . for this one"),
        (("--sbatch", "time=1"), "--sbatch is for -o slurm"),
        (("-o", "sh", "--diff", "latest"), "--diff is read, not run"),
        (("--explain", "0", "--diff", "latest"), "--diff and --explain do not go together"),
        (("--explain", "x"), "--explain is 'x'\n  expected  a whole number from 0 up"),
        (("--explain", "4"), "no rank 4 in the plan"),
        (("--diff", "latest"), "no runs yet"),
        (("--diff", ""), "a run's name is empty"),
        (("-o", "yaml"), "-o is 'yaml'\n  expected  text, json, sh, docker, slurm or k8s"),
        (("-o", "slurm", "--sbatch", "a\x1b[2J=1"), "--sbatch is 'a=1'"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(write_recipe(tmp_path, SAY)), *options]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_what_changed_since_a_run_is_shown(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, SAY, env={"COLOUR": "blue"})
    assert npu_launch("run", recipe).code == ExitCode.OK
    run = latest().id
    same = npu_launch("plan", recipe, "--diff", "latest")
    assert (same.code, same.out) == (ExitCode.OK, f"nothing has changed since run {run}, attempt 1\n")
    other = npu_launch("plan", recipe, "--diff", run[:6], "--env", "COLOUR=red")
    assert "  ranks 0-3  env COLOUR  blue -> red\n" in other.out
    as_data = json.loads(npu_launch("plan", recipe, "--diff", run, "--env", "COLOUR=red", "-o", "json").out)
    assert (as_data["run"], as_data["attempt"]) == (run, 1)
    change = {"subject": "ranks", "name": "env COLOUR", "before": "blue", "after": "red", "ranks": [0, 1, 2, 3]}
    assert change in as_data["changes"]
    latest().layout.attempt(1).plan.write_text('{"version": 0}')
    unreadable = npu_launch("plan", recipe, "--diff", run)
    assert unreadable.code == ExitCode.INFRASTRUCTURE
    assert "another version of npu-launch" in unreadable.err


def test_each_variable_of_a_rank_is_explained(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, SAY, env={"COLOUR": "blue"})
    assert "COLOUR=blue" in npu_launch("plan", recipe, "--explain", "1").out
    as_data = json.loads(npu_launch("plan", recipe, "--explain", "1", "-o", "json").out)
    assert as_data["rank"] == 1
    assert ("COLOUR", "blue", "recipe") in [(v["name"], v["value"], v["origin"]) for v in as_data["variables"]]
