"""Recipes from captured launch scripts."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import NpuLaunchError, SpecError
from launcher.planning import LaunchPlan, plan
from launcher.specs import Framework, Rendezvous, cluster_from_mapping, load_recipe
from launcher.writing.from_script import Script, launch_of
from launcher.writing.launch import Launch
from launcher.writing.recipe_text import open_points, recipe_text
from tests.writing.launch_scripts import CAPTURES, CASES, written

HOSTS = [
    {
        "name": f"node{host}",
        "address": f"10.0.0.{host}",
        "devices": [{"id": device, "ip": f"192.168.{host}.{device + 1}"} for device in range(8)],
    }
    for host in (1, 2)
]
TWO_SERVERS = cluster_from_mapping({"name": "two", "soc": "Ascend910B3", "hosts": HOSTS})


def read(text: str, given: tuple[str, ...] | None = None, **files: str) -> Launch:
    """What a script in /lab launches, with files beside it."""
    named = {f"/lab/{name.replace('__', '.')}": content for name, content in files.items()}
    return launch_of(Script("/lab/run.sh", text, given), "job", named.get)


def planned(text: str, tmp_path: Path) -> LaunchPlan:
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    return plan(load_recipe(file), TWO_SERVERS)


@pytest.mark.parametrize("name", CASES)
def test_a_captured_script_becomes_its_recipe(name: str) -> None:
    assert written(name) == (CAPTURES / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", CASES)
def test_the_recipe_of_a_captured_script_can_be_planned(name: str, tmp_path: Path) -> None:
    made = planned((CAPTURES / f"{name}.yaml").read_text(), tmp_path)
    assert made.ranks
    assert not [warning for warning in made.warnings if "does not know" in warning]


def test_every_capture_has_its_recipe() -> None:
    assert (
        {file.stem for file in CAPTURES.glob("*.sh")} == {file.stem for file in CAPTURES.glob("*.yaml")} == set(CASES)
    )


@pytest.mark.parametrize(
    "loop",
    [
        "for ((i=0; i<${N}; i++)); do",
        "for i in $(seq 0 $((N - 1))); do",
        "for i in `seq 0 3`; do",
        "for i in {0..3}; do",
        "for i in 0 1 2 3; do",
        "i=-1; while [ $((++i)) -lt $N ]; do",
        "i=-1; until [[ $i -ge 3 ]]; do let i++;",
    ],
)
def test_a_loop_over_devices_is_so_many_ranks(loop: str) -> None:
    launch = read(f"N=4\n{loop}\n export DEVICE_ID=$i RANK_ID=$i\n python train.py --rank $i --device=$i &\ndone\nwait")
    assert launch.ranks == 4
    assert launch.args == ("--rank", "{rank}", "--device={local_rank}")


@pytest.mark.parametrize(
    ("line", "ranks", "hosts", "framework"),
    [
        ("mpirun -n 8 --allow-run-as-root -x GLOG_v=2 python -u train.py a", 8, 1, Framework.MINDSPORE),
        ("msrun --worker_num 16 --local_worker_num 8 train.py a", 16, 2, Framework.MINDSPORE),
        ("msrun train.py a", 8, 1, Framework.MINDSPORE),
        ("torchrun --nproc_per_node=4 --nnodes 2 --master-port 1 train.py a", 8, 2, Framework.PYTORCH),
        ("python -m torch.distributed.launch --use_env --nproc_per_node 2 train.py a", 2, 1, Framework.PYTORCH),
        ("nohup taskset -c 0-3 python3.9 -u -W ignore train.py a > log 2>&1 &", 1, 1, Framework.PLAIN),
        ("eval \"msrun --worker_num=2 --local_worker_num=2 train.py 'a'\"", 2, 1, Framework.MINDSPORE),
    ],
)
def test_every_usual_starter_is_known(line: str, ranks: int, hosts: int, framework: Framework) -> None:
    launch = read(line)
    assert (launch.ranks, launch.hosts, launch.framework) == (ranks, hosts, framework)
    assert (PurePosixPath(launch.script).name, launch.args) == ("train.py", ("a",))


def test_without_use_env_the_old_launcher_of_torch_adds_the_local_rank() -> None:
    assert read("python -m torch.distributed.launch --nproc_per_node 2 t.py").args == ("--local_rank={local_rank}",)


def test_the_framework_is_that_of_the_imports() -> None:
    launch = read("export JOB_ID=1\npython train.py", train__py="import os\nfrom mindspore import nn\n")
    assert launch.framework is Framework.MINDSPORE


def test_arguments_that_nobody_gives_are_to_be_filled_in() -> None:
    script = "if [ $# -ne 2 ]; then echo 'Usage: bash run.sh [TABLE] [DATA_DIR]'; exit 1; fi\npython train.py --d $2"
    launch = read(script)
    assert launch.args == ("--d", "/FILL_IN/DATA_DIR")
    assert launch.data == ("/FILL_IN/DATA_DIR",)
    assert read(script, ("t.json", "/data")).args == ("--d", "/data")


def test_a_rank_table_of_the_script_is_left_to_npu_launch() -> None:
    launch = read("export RANK_TABLE_FILE=$1 GLOG_v=3\nfor i in 0 1; do python train.py & done")
    assert launch.rendezvous is Rendezvous.RANK_TABLE
    assert launch.env == {"GLOG_v": "3"}
    assert not launch.fill_ins


def test_files_that_were_copied_are_found_where_they_come_from() -> None:
    copies = "mkdir d$i; cp -r ../src ../conf.yaml d$i; cp ../*.py d$i; cd d$i"
    launch = read(f"for i in 0 1; do {copies}; python train.py --c=conf.yaml --s ./src/a; cd ..; done")
    assert [path.replace("\ue001", "") for path in (launch.script, *launch.args)] == [
        "/train.py",
        "--c=/conf.yaml",
        "--s",
        "/src/a",
    ]
    assert launch.cwd is None


def test_what_differs_in_another_way_is_told() -> None:
    launch = read("for i in 0 1 2; do python train.py --port $((5000 + 7 * i)) & done")
    assert launch.args == ("--port", "5000")
    assert any("different for each rank" in note.what for note in launch.untranslated)


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("ulimit -n 65536", "ulimit -n 65536"),
        ("trap cleanup EXIT", "trap cleanup EXIT"),
        ("source env.sh", "source env.sh"),
        ("ssh node2 bash run.sh", "ssh node2 bash run.sh"),
        ("python prepare.py", "python prepare.py"),
        ("cat > conf.json <<E\n{}\nE", "cat"),
        ("sysctl -w net.core.somaxconn=1024 | grep x", "sysctl"),
    ],
)
def test_nothing_is_dropped_in_silence(statement: str, line: str) -> None:
    launch = read(f"{statement}\nfor i in 0 1; do python train.py & done")
    assert any(point.startswith(f"line 1: {line}") for point in open_points(launch))


def test_a_file_that_is_sourced_is_read() -> None:
    launch = read("source ./env.sh\npython train.py", env__sh="export HCCL_BUFFSIZE=200\n")
    assert launch.env == {"HCCL_BUFFSIZE": "200"}
    assert not any("env.sh" in point for point in open_points(launch))


def test_nothing_of_a_script_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    read(f"touch {mark}\nX=$(touch {mark}; echo 1)\n`touch {mark}`\neval touch {mark}\npython train.py $(touch {mark})")
    assert not mark.exists()


def test_a_script_without_a_start_is_refused() -> None:
    with pytest.raises(SpecError, match="starts nothing that npu-launch knows"):
        read("echo hello\n")


def test_a_script_without_an_end_is_refused() -> None:
    with pytest.raises(SpecError, match="no end of it was found"):
        read("while true; do for ((i=0; i<4000; i++)); do x=$i; done; done")


LINES = [line for name in CASES for line in (CAPTURES / f"{name}.sh").read_text().splitlines()]
SCRAPS = [*LINES, "fi", "done", "{", "}", "((", "))", "$(", "`", "'", '"', "esac", "<<E", "${", "$((1/0))", "${x//a/b}"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SCRAPS), max_size=30), st.lists(st.text(max_size=3), max_size=2) | st.none())
def test_a_damaged_script_is_read_or_refused(lines: list[str], given_: list[str] | None) -> None:
    """Whatever a script looks like, there is a recipe that loads or an error that says what is wrong."""
    try:
        launch = read("\n".join(lines), None if given_ is None else tuple(given_))
        text = recipe_text(launch, "run.sh", Path("/lab"))
    except NpuLaunchError:
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "job.yaml"
        file.write_text(text)
        assert load_recipe(file).ranks == launch.ranks
