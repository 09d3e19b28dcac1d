"""Recipes from captured launch scripts."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import NpuLaunchError, SpecError
from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
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


@pytest.mark.parametrize(
    ("word", "first"),
    [("$((6000 + i))", "6000"), ("0$i", "00"), ("127.0.0.1:600$i", "127.0.0.1:6000"), ("card1$i", "card10")],
)
def test_numbers_that_count_up_from_another_than_zero_are_the_first_ranks_and_told(word: str, first: str) -> None:
    """As `600{rank}` they would be wrong from the tenth rank on, and on the second of two hosts."""
    launch = read(f"export RANK_SIZE=16\nfor i in {{0..7}}; do export P={word}; python t.py --p {word} & done")
    assert (launch.ranks, launch.hosts) == (16, 2)
    assert (launch.args, launch.env["P"]) == (("--p", first), first)
    assert sum("different for each rank" in note.what for note in launch.untranslated) == 2


@pytest.mark.parametrize(
    ("line", "args", "env", "told"),
    [
        ("mpirun -n 8 -x A=1 env B=2 python -m train a", ("a",), {"A": "1", "B": "2"}, "run as a module"),
        ("mpirun -n 8 python train.py a : -n 1 python eval.py b", ("a",), {}, "other programs, too (: -n 1 python"),
        ("mpirun -n 8 -wdir /jobs python train.py a", ("a",), {}, "run in /jobs (-wdir): say it as cwd"),
        ("mpirun -n 8 torchrun --nproc_per_node 2 train.py a", ("a",), {}, "ranks may be more"),
        ("mpirun -n 8 bash -c 'python train.py a'", ("a",), {}, ""),
        (
            "mpirun -n 8 /bin/bash -o posix -ec 'export A=1; ./prep; python train.py --r=$OMPI_COMM_WORLD_RANK a'",
            ("--r={rank}", "a"),
            {"A": "1"},
            "does ./prep, too",
        ),
        ("mpirun -n 8 bash -c 'cd sub && python train.py a'", ("a",), {}, "goes to sub first"),
    ],
)
def test_what_mpirun_starts_is_read_whole(line: str, args: tuple[str, ...], env: dict[str, str], told: str) -> None:
    launch = read(line)
    assert (launch.ranks, PurePosixPath(launch.script).name) == (8, "train.py")
    assert (launch.args, launch.env) == (args, env)
    assert not told or [note.what for note in launch.untranslated if told in note.what]


def test_a_text_for_another_shell_is_read_with_its_variables_arguments_and_folder() -> None:
    launch = read('N=2\nA=1 bash -c "cd sub; for i in 0 1; do python train.py --n $N \\$0 \\$1 & done" x y')
    assert (launch.ranks, launch.env, launch.args) == (2, {"A": "1"}, ("--n", "2", "x", "y"))
    assert launch.script.endswith("/sub/train.py")


@pytest.mark.parametrize(
    "line",
    [
        "torchrun --nnodes=$NNODES --nproc_per_node=8 t.py",
        "python -m torch.distributed.run --nnodes $NNODES --nproc_per_node 8 t.py",
        "msrun --worker_num=$WORKERS --local_worker_num=8 t.py",
        "msrun --worker_num=$WORKERS --local_worker_num=8 python t.py",
    ],
)
def test_a_number_of_hosts_that_is_not_known_is_told(line: str) -> None:
    launch = read(line)
    assert (launch.ranks, launch.hosts) == (8, 1)
    assert "how many hosts is not known: 1 is assumed" in [note.what for note in launch.untranslated]


def test_what_is_exported_all_together_is_given_to_the_ranks() -> None:
    script = "A=0; set -ae; B=1; . ./env.sh; set +a; C=2; set -o allexport; D=3; set +o allexport; E=4; export -n B"
    assert read(f"{script}\npython t.py", env__sh="F=5\n").env == {"F": "5", "D": "3"}


@pytest.mark.parametrize(
    "script",
    [
        "x=aaaaaaaaaa; for i in {1..60}; do x=$x$x; done",
        "x=(a b c); for i in {1..60}; do x=(${x[@]} ${x[@]}); done",
        "x=a; for i in {1..19}; do x=$x$x; done; for i in {1..4000}; do show $x; done",
        "x=a; for i in {1..17}; do x=$x$x; done; y=${x//a/$x}",
    ],
)
def test_a_script_whose_values_double_is_refused(script: str) -> None:
    with pytest.raises(SpecError, match=r"larger than [0-9]+ MB"):
        read(f"{script}; python t.py")


def test_a_long_text_of_which_all_is_known_is_read_at_once() -> None:
    text = "a" * 300_000
    assert read(f"python t.py --x={text}").args == (f"--x={text}",)


@pytest.mark.parametrize(
    "loop",
    [
        "for i in {0..4000} {0..4000}",
        "for ((i=0; i<5000; i++))",
        "i=0; while [ $((i++)) -lt 5000 ]",
        "for i in {0..99999999999999999}",
    ],
)
def test_what_is_cut_off_is_told(loop: str) -> None:
    launch = read(f"{loop}; do x=1; done\npython t.py")
    assert any("is cut off after 4096" in note.what for note in launch.untranslated)


def test_how_often_a_loop_over_very_many_numbers_runs_is_a_guess_and_told() -> None:
    launch = read("for i in $(seq 5000); do python t.py & done")
    assert launch.ranks == 8
    assert any("8 times" in note.what for note in launch.untranslated)


@pytest.mark.parametrize(
    "training", ["p.add_argument('--use-amp', help='(no) value', action='store_true')", "DEFINE_bool('use-amp', True)"]
)
def test_an_argument_after_a_flag_of_the_training_script_is_no_value_of_it(training: str) -> None:
    launch = read("python t.py --use-amp data/ --lr 0.1", t__py=training)
    text = recipe_text(launch, "run.sh", Path("/lab"))
    assert 'args: ["--use-amp", data/, "--lr", "0.1"]' in text
    assert "is read as an option" not in text


@pytest.mark.parametrize(
    ("arguments", "training", "is_told"),
    [
        ("--use-amp data/", "import torch", True),
        ("--lr 1 --use-amp data/ out/", "no Python (", True),
        ("--use-amp data/", "p.add_argument('--use-amp', type=str)", False),
        ("--data_dir data/", "", False),
        ("--use-amp data/ --lr 1", "", False),
        ("--use-amp=data/", "", False),
        ("--epochs 90", "", False),
    ],
)
def test_what_could_be_a_flag_is_told(arguments: str, training: str, is_told: bool) -> None:
    points = list(open_points(read(f"python t.py {arguments}", t__py=training)))
    assert ("  --use-amp data/ is read as an option with its value" in points) == is_told


def test_braces_of_the_script_that_a_recipe_would_replace_are_told() -> None:
    points = "\n".join(open_points(read("A={run_dir} python t.py --name 'x{rank}' --json '{\"a\": 1}'")))
    assert "{rank} is the script's own, and is replaced in a recipe: by the rank" in points
    assert "{run_dir} is the script's own" in points
    assert points.count("script's own") == 2


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
