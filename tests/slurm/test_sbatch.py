"""The batch script of a plan, on a real Slurm."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from launcher.planning.rendering import render_slurm
from launcher.specs import Cluster, Device, Host, Recipe, recipe_from_mapping
from tests.slurm.small_slurm import PREFIX, SmallSlurm, sweep

HOSTILE = """a'; touch x #"$(touch x)`touch x`\\ EOF\n{{ x }} é"""
SCRIPT = """\
import json, os, sys, time
env = dict(os.environ)
table = env.get("RANK_TABLE_FILE")
print(json.dumps({"argv": sys.argv[1:], "env": env, "table": table and json.load(open(table))}), flush=True)
if env.get("FAILS") == env["RANK_ID"]:
    sys.exit(7)
if "FAILS" in env:
    time.sleep(60)
"""


def recipe(folder: Path, **more: Any) -> Recipe:
    (folder / "train.py").write_text(SCRIPT)
    values = {"name": "job", "framework": "plain", "ranks": 8, "script": "train.py", "relative_to": str(folder)}
    return recipe_from_mapping(values | more)


def cpus(*, hosts: int, each: int) -> Cluster:
    members = (Host(name=f"any-{number}", address=f"10.9.9.{number}", devices=each) for number in range(hosts))
    return Cluster(name="shape", soc="CPU", hosts=tuple(members))


def npus(*ids: int) -> Cluster:
    devices = tuple(tuple(Device(id=id, ip=f"192.168.{id}.{host}") for id in ids) for host in range(2))
    hosts = (Host(name=f"any-{host}", address=f"10.9.9.{host}", devices=devices[host]) for host in range(2))
    return Cluster(name="shape", soc="Ascend910B3", hosts=tuple(hosts))


def written(folder: Path, recipe: Recipe, cluster: Cluster) -> Path:
    script = folder / "job.sbatch"
    script.write_text(render_slurm(recipe, cluster, name="job", runs=str(folder / "runs"), python="python3"))
    return script


def said(folder: Path, job: str, rank: int) -> dict[str, Any]:
    log = folder / "runs" / f"job-{job}" / "attempts" / "1" / "ranks" / str(rank) / "stdout.log"
    answer: dict[str, Any] = json.loads(log.read_text())
    return answer


def test_the_ranks_run_on_the_nodes_that_slurm_gives(slurm: SmallSlurm, tmp_path: Path) -> None:
    wanted = recipe(
        tmp_path, framework="pytorch", args={"x": HOSTILE, "y": "{rank}"}, env={"A": HOSTILE, "log": "{run}"}
    )
    job, state, output = slurm.finish(written(tmp_path, wanted, cpus(hosts=2, each=4)))
    assert state == "COMPLETED", output
    for rank in range(8):
        answer = said(tmp_path, job, rank)
        assert answer["argv"] == [f"--x={HOSTILE}", f"--y={rank}"]
        env = answer["env"]
        assert (env["RANK"], env["LOCAL_RANK"], env["GROUP_RANK"]) == (str(rank), str(rank % 4), str(rank // 4))
        assert (env["A"], env["log"], env["NPU_LAUNCH_RUN"]) == (HOSTILE, f"job-{job}", f"job-{job}")
        assert env["SLURMD_NODENAME"] == f"node{rank // 4 + 1}"
        assert env["MASTER_ADDR"].count(".") == 3
        assert not env["MASTER_ADDR"].startswith(("10.9.9.", "198.18."))
    assert not list(tmp_path.rglob("x"))


def test_a_rank_that_fails_fails_the_job_and_ends_the_others(slurm: SmallSlurm, tmp_path: Path) -> None:
    job, state, output = slurm.finish(written(tmp_path, recipe(tmp_path, env={"FAILS": 5}), cpus(hosts=2, each=4)))
    assert state == "FAILED"
    assert "rank_5 ended with exit code 7: " in output
    assert said(tmp_path, job, 0)["env"]["FAILS"] == "5"


def test_the_rank_table_names_what_the_nodes_have(
    slurm: SmallSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "hccn_tool"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "ipaddr:192.168.$2.${SLURMD_NODENAME#node}"\necho "netmask:255.255.255.0"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    job, state, output = slurm.finish(written(tmp_path, recipe(tmp_path, ranks=4), npus(4, 5)))
    assert state == "COMPLETED", output
    table = said(tmp_path, job, 0)["table"]
    devices = [(d["rank_id"], d["device_id"], d["device_ip"]) for s in table["server_list"] for d in s["device"]]
    assert devices == [
        *(("0", "4", "192.168.4.1"), ("1", "5", "192.168.5.1")),
        *(("2", "4", "192.168.4.2"), ("3", "5", "192.168.5.2")),
    ]
    assert said(tmp_path, job, 3)["env"]["DEVICE_ID"] == "5"


def running_in(folder: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if str(folder) in str(process.info["cmdline"])]


def test_a_cancelled_job_leaves_no_rank_behind(slurm: SmallSlurm, tmp_path: Path) -> None:
    script = written(tmp_path, recipe(tmp_path, ranks=2, env={"FAILS": "none"}), cpus(hosts=2, each=1))
    job = slurm.start(script)
    logs = [tmp_path / "runs" / f"job-{job}" / "attempts" / "1" / "ranks" / str(rank) / "stdout.log" for rank in (0, 1)]
    slurm.wait(lambda: all(log.exists() and log.read_text().endswith("}\n") for log in logs), "both ranks run")
    slurm.run("scancel", job)
    assert slurm.outcome(job)[0] == "CANCELLED"
    slurm.wait(lambda: not running_in(tmp_path), "both ranks have ended")


def test_another_number_of_nodes_than_planned_is_refused(slurm: SmallSlurm, tmp_path: Path) -> None:
    script = written(tmp_path, recipe(tmp_path, ranks=1), cpus(hosts=1, each=1))
    _, state, output = slurm.finish(script, "--nodes=2")
    assert state == "FAILED"
    assert "the allocation has 2 nodes, but the plan is for 1" in output


def test_what_a_killed_test_left_behind_is_swept() -> None:
    killed = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    started = psutil.Process(killed.pid).create_time()
    daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", str(folder)])
    (folder / "1.pid").write_text(str(daemon.pid))
    (folder / "owner").write_text(f"{killed.pid} {started}")
    sweep()
    assert folder.exists()
    killed.kill()
    killed.wait()
    sweep()
    assert (folder.exists(), daemon.wait(10)) == (False, -signal.SIGKILL)
