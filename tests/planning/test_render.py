"""A plan can be read by a person, and carried out by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from golden.regenerate import golden_plan
from hypothesis import given, settings
from spec_strategies import jobs

from launcher.planning.compose import plan
from launcher.planning.model import Environment, HostEnvironment, LaunchPlan, RankProcess
from launcher.planning.place import Place
from launcher.planning.rendering import render_sh, render_text, sh_files
from launcher.planning.shared import pattern
from launcher.specs import Cluster, Host, recipe_from_mapping
from tests.end_to_end import is_alive

HOSTILE = "a'; touch x #"
BASH = shutil.which("bash") or ""

SCRIPT = """\
import json, os, sys, time
rank = os.environ["RANK_ID"]
print(json.dumps({"rank": rank, "pid": os.getpid(), "argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}))
if os.environ.get("FAILS") == rank:
    sys.exit(7)
if "FAILS" in os.environ:
    time.sleep(60)
"""


def local_plan(folder: Path, **more: Any) -> LaunchPlan:
    """Eight plain ranks on this machine, in a folder and with a script of hostile names."""
    home = folder / HOSTILE
    home.mkdir(exist_ok=True)
    (home / f"{HOSTILE}=1.py").write_text(SCRIPT)
    values = {"name": HOSTILE, "framework": "plain", "ranks": 8, "script": f"{HOSTILE}=1.py", "relative_to": str(home)}
    recipe = recipe_from_mapping(values | more)
    cluster = Cluster(name="here", soc="CPU", hosts=(Host(name="here", address="127.0.0.1", devices=8),))
    return plan(recipe, cluster, Place.example(recipe, directory=str(home / "runs"), python=sys.executable))


def run(launch: LaunchPlan, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "launch.sh"
    script.write_text(render_sh(launch))
    env = os.environ | {"MS_ROLE": "leaked", "RANK_TABLE_FILE": "leaked"}
    return subprocess.run([BASH, str(script)], cwd=folder, env=env, capture_output=True, text=True, timeout=120)


def test_the_script_does_what_the_plan_says(tmp_path: Path) -> None:
    args = {"x": HOSTILE, "y": "{rank}\n$(touch x)"}
    launch = local_plan(tmp_path, args=args, env={"log": "`touch x`", "name": "{rank}"})
    done = run(launch, tmp_path)
    logs = [f"rank_{process.rank}: {process.log}" for process in launch.ranks]
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (0, "", logs)
    for rank in launch.ranks:
        said = json.loads(Path(rank.log).read_text())
        assert tuple(said["argv"]) == rank.argv[2:]
        assert said["cwd"] == rank.cwd
        assert dict(rank.env).items() <= said["env"].items()
        assert not {"MS_ROLE", "RANK_TABLE_FILE"} & said["env"].keys()
        assert Path(rank.cann_log_dir).is_dir()
    assert not list(tmp_path.rglob("x"))


def test_the_script_ends_all_ranks_when_one_fails(tmp_path: Path) -> None:
    launch = local_plan(tmp_path, env={"FAILS": 3})
    begin = time.monotonic()
    done = run(launch, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("rank_3 ended with exit code 7: ")
    assert time.monotonic() - begin < 30


def test_the_script_lets_independent_ranks_go_on(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"#!{BASH}\n((RANK_ID)) && sleep 1 && echo done\n")
    (tmp_path / "one").chmod(0o755)
    launch = local_plan(tmp_path, script=str(tmp_path / "one"), gang=False, ranks=3)
    assert run(launch, tmp_path).returncode == 1
    assert [Path(rank.log).read_text() for rank in launch.ranks] == ["", "done\n", "done\n"]


def test_the_script_ends_what_a_rank_leaves_behind_and_overwrites_no_log(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"#!{BASH}\nsleep 300 &\necho $!\n")
    (tmp_path / "one").chmod(0o755)
    launch = local_plan(tmp_path, script=str(tmp_path / "one"), ranks=1)
    assert run(launch, tmp_path).returncode == 0
    assert not is_alive(int(Path(launch.ranks[0].log).read_text()))
    again = run(launch, tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_what_a_rank_started_has_its_grace_and_no_more(tmp_path: Path) -> None:
    child = """#!{bash}
{bash} -c 'trap "sleep 0.2; echo saved; exit" TERM; echo up; while :; do sleep 0.1; done' &
{bash} -c 'trap "" TERM; echo $$ up; while :; do sleep 0.1; done' &
until (($(grep -c up "$LOG") == 2)); do sleep 0.05; done
exit 3
"""
    (tmp_path / "one").write_text(child.replace("{bash}", BASH))
    (tmp_path / "one").chmod(0o755)
    log = "{attempt_dir}/ranks/{rank}/stdout.log"
    launch = local_plan(tmp_path, script=str(tmp_path / "one"), ranks=1, grace=1, env={"LOG": log})
    assert run(launch, tmp_path).returncode == 1
    words = Path(launch.ranks[0].log).read_text().split()
    assert "saved" in words
    stubborn = int(next(word for word in words if word.isdecimal()))
    while is_alive(stubborn):
        time.sleep(0.01)


def test_a_log_that_cannot_be_made_ends_what_was_started(tmp_path: Path) -> None:
    launch = local_plan(tmp_path, env={"FAILS": "none"}, ranks=2)
    Path(launch.ranks[1].log).parent.parent.mkdir(parents=True)
    Path(launch.ranks[1].log).parent.touch()
    begin = time.monotonic()
    done = run(launch, tmp_path)
    assert (done.returncode, "mkdir: " in done.stderr) == (4, True)
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP])
def test_the_script_takes_its_ranks_with_it(tmp_path: Path, by: signal.Signals) -> None:
    script = tmp_path / "launch.sh"
    launch = local_plan(tmp_path, env={"FAILS": "none"}, ranks=2)
    script.write_text(render_sh(launch))
    running = subprocess.Popen([BASH, str(script)])
    logs = [Path(rank.log) for rank in launch.ranks]
    while not all(log.is_file() and log.read_text().endswith("\n") for log in logs):
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(by)
    assert running.wait(30) == 130
    pids = [json.loads(log.read_text())["pid"] for log in logs]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_second_ctrl_c_ends_the_grace(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"#!{BASH}\ntrap '' TERM\necho up\nwhile :; do sleep 0.1; done\n")
    (tmp_path / "one").chmod(0o755)
    launch = local_plan(tmp_path, script=str(tmp_path / "one"), ranks=1, grace=1000)
    (tmp_path / "launch.sh").write_text(render_sh(launch))
    running = subprocess.Popen([BASH, str(tmp_path / "launch.sh")])
    log = Path(launch.ranks[0].log)
    while not (log.is_file() and log.read_text()):
        time.sleep(0.05)
    deadline = time.monotonic() + 30
    while running.poll() is None and time.monotonic() < deadline:
        running.send_signal(signal.SIGINT)
        time.sleep(0.2)
    assert running.wait(1) == 130


def test_a_rank_table_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    launch = golden_plan().model_copy(update={"rank_table_path": str(tmp_path / "file" / "hccl.json")})
    (tmp_path / "launch.sh").write_text(render_sh(launch))
    asked = subprocess.run([BASH, "launch.sh", "node-a"], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert (asked.returncode, "mkdir: " in asked.stderr) == (4, True)


def test_the_script_writes_the_rank_table_and_asks_which_host(tmp_path: Path) -> None:
    text = render_sh(golden_plan())
    assert golden_plan().rank_table is not None
    assert golden_plan().rank_table.to_json() in text  # type: ignore[union-attr]
    (tmp_path / "launch.sh").write_text(text)
    asked = subprocess.run([BASH, "launch.sh"], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert asked.returncode != 0
    assert "node-a node-b" in asked.stderr


def with_set_env(launch: LaunchPlan) -> LaunchPlan:
    """The plan of hosts on which a set_env.sh was seen to leave something."""
    known = HostEnvironment(
        hosts=launch.hosts,
        files=("/opt/cann/set_env.sh",),
        variables=Environment({"CANN_HOME": HOSTILE, "COLOUR": "grey"}),
        prepended=Environment({"FIRST": "/new", "ALONE": "/only"}),
        appended=Environment({"LAST": "/new"}),
    )
    return launch.model_copy(update={"host_environments": (known,)})


def test_ranks_inherit_what_set_env_leaves_and_the_plan_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST", "LAST"):
        monkeypatch.setenv(name, "/old")
    monkeypatch.delenv("ALONE", raising=False)
    launch = with_set_env(local_plan(tmp_path, ranks=1, env={"COLOUR": "blue"}))
    assert run(launch, tmp_path).returncode == 0
    env = json.loads(Path(launch.ranks[0].log).read_text())["env"]
    names = ("CANN_HOME", "COLOUR", "FIRST", "ALONE", "LAST")
    assert [env[name] for name in names] == [HOSTILE, "blue", "/new:/old", "/only", "/old:/new"]


def test_of_hosts_that_were_not_looked_at_the_script_sources_what_is_there() -> None:
    text = render_sh(golden_plan(), {"node-a": "/opt/cann/latest"})
    assert "for file in /opt/cann/latest/set_env.sh /opt/cann/set_env.sh; do" in text
    assert "set_env.sh" not in render_sh(with_set_env(golden_plan()))


def test_each_host_sources_from_where_its_own_cann_is(tmp_path: Path) -> None:
    folders = {"node-a": str(tmp_path / "a"), "node-b": str(tmp_path / "b")}
    for folder in map(Path, folders.values()):
        folder.mkdir()
        (folder / "set_env.sh").write_text(f"export CANN_HOME={folder.name}\nfalse\n")
    asking = golden_plan().model_copy(update={"services": (), "rank_table": None})
    asking = asking.model_copy(update={"ranks": tuple(asks(rank, tmp_path) for rank in asking.ranks)})
    (tmp_path / "launch.sh").write_text(render_sh(asking, folders))
    for file in sh_files(asking, folders):
        (tmp_path / "scripts" / file.name).parent.mkdir(exist_ok=True)
        (tmp_path / "scripts" / file.name).write_text(file.text)
    for script in (tmp_path / "launch.sh", tmp_path / "scripts" / "launch.sh"):
        for host in folders:
            subprocess.run([BASH, str(script), host], check=True, timeout=60)
        assert [Path(rank.log).read_text() for rank in asking.ranks] == ["a\n", "a\n", "b\n", "b\n"]
        shutil.rmtree(tmp_path / "ranks")


def asks(rank: RankProcess, folder: Path) -> RankProcess:
    """The rank as one that says where CANN is, with its folders elsewhere."""
    own = folder / "ranks" / str(rank.rank)
    paths = {"log": str(own / "stdout.log"), "cwd": str(own / "work"), "cann_log_dir": str(own / "cann")}
    argv = (BASH, "-c", 'echo "$CANN_HOME"')
    return rank.model_copy(update={"argv": argv, **paths})


def test_the_text_says_what_is_known_of_the_hosts(tmp_path: Path) -> None:
    launch = with_set_env(local_plan(tmp_path, ranks=2))
    bound = tuple(
        rank.model_copy(update={"cpus": cpus}) for rank, cpus in zip(launch.ranks, [(0, 1, 2, 8), None], strict=True)
    )
    text = render_text(launch.model_copy(update={"ranks": bound, "warnings": ("HCCL_X is \x1b odd",)}))
    assert "CANN         on here from /opt/cann/set_env.sh\n" in text
    assert "CPUs         rank 0: 0-2,8; rank 1: all;\n" in text
    assert text.endswith("warnings\n  HCCL_X is \\x1b odd\n")


def test_what_is_doubtful_is_a_remark_in_the_script() -> None:
    text = render_sh(golden_plan().model_copy(update={"warnings": ("odd\nrm -rf x",)}))
    assert "\n# warning: odd\\nrm -rf x\n" in text


def test_the_text_says_which_rank_table() -> None:
    launch = golden_plan()
    assert "/runs/two-nodes-7f3a/attempts/1/hccl.json (version 1.0)\n" in render_text(launch)
    without = launch.model_copy(update={"rank_table": None, "rank_table_path": None})
    assert "rank table   none: ranks meet without one\n" in render_text(without)


@given(jobs())
@settings(max_examples=20, deadline=None)
def test_the_script_of_any_plan_is_bash(job: Any) -> None:
    checked = subprocess.run([BASH, "-n"], input=render_sh(plan(*job)), capture_output=True, text=True, timeout=20)
    assert (checked.returncode, checked.stderr) == (0, "")


@given(jobs())
@settings(max_examples=40, deadline=None)
def test_the_text_of_any_plan_drives_no_terminal(job: Any) -> None:
    assert all(line.isprintable() for line in render_text(plan(*job)).split("\n"))


def test_the_text_says_who_runs_where_on_80_columns() -> None:
    text = render_text(golden_plan())
    assert "node-a: ranks 0-1, devices 0-1" in text
    assert "node-b: ranks 2-3, devices 0-1" in text
    assert "scheduler on node-a" in text
    assert "  RANK_ID={rank}\n" in text
    assert "  DEVICE_ID={local_rank}\n" in text
    assert "/runs/two-nodes-7f3a/attempts/1/ranks/{rank}/stdout.log" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_pattern_is_shown_only_when_all_ranks_follow_it(tmp_path: Path) -> None:
    ranks = local_plan(tmp_path, ranks=3).ranks
    assert pattern(["r1/0", "r1/1", "r1/2"], ranks) == "r1/{rank}"
    assert pattern(["0", "1", "3"], ranks) is None
    assert pattern(["a", "b", "c"], ranks) is None
    assert pattern(["1", "1", "1"], ranks) == "1"


def test_a_path_of_the_run_may_hold_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    text = render_text(local_plan(folder))
    assert f"{folder}/{HOSTILE}/runs/attempts/1/ranks/{{rank}}/stdout.log\n" in text


@pytest.mark.parametrize("ranks", [1, 8])
def test_a_control_character_of_an_argument_is_shown_as_an_escape(tmp_path: Path, ranks: int) -> None:
    assert "\\x1b[2J" in render_text(local_plan(tmp_path, ranks=ranks, args={"x": "\x1b[2J"}))
