"""The batch script of a plan, as a text; `tests/slurm` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from scripts import HOSTILE, TEXTS, complaints, cpus, hostile_texts, npus, plain

from launcher.errors import NpuLaunchError, PlanError, UsageError
from launcher.planning.rendering import render_slurm
from launcher.planning.rendering.stand_in import JOB
from launcher.specs import Cluster, Recipe


def script(recipe: Recipe, cluster: Cluster, *options: str) -> str:
    return render_slurm(recipe, cluster, name="job", runs="/runs", python="python3", options=options)


def directives(text: str) -> list[str]:
    """The lines that sbatch reads."""
    return [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]


def refusal(*arguments: Any) -> NpuLaunchError:
    with pytest.raises(NpuLaunchError) as caught:
        script(*arguments)
    return caught.value


def test_sbatch_is_asked_for_whole_nodes_and_one_task_on_each(tmp_path: Path) -> None:
    text = script(plain(tmp_path, ranks=4), npus(0, 1, hosts=2))
    wanted = ["--job-name=job", "--nodes=2", "--ntasks-per-node=1", "--exclusive", "--mem=0", "--no-requeue"]
    assert directives(text) == wanted


def test_the_user_adds_options_of_sbatch(tmp_path: Path) -> None:
    text = script(plain(tmp_path), cpus(), "gres=npu:8", "--time=1-00:00:00", "mem=64G", "contiguous")
    assert directives(text)[-3:] == ["--gres=npu:8", "--time=1-00:00:00", "--contiguous"]
    assert "--mem=64G" in directives(text)


@pytest.mark.parametrize("option", ["time=1\nrm -rf x", "comment=a b", "x=$(touch x)", "=1", "Gres=1", 'a="b"', "-x"])
def test_an_option_that_would_not_stay_in_its_line_is_refused(tmp_path: Path, option: str) -> None:
    error = refusal(plain(tmp_path), cpus(), option)
    assert isinstance(error, UsageError)
    assert "NAME=VALUE" in error.expected


def test_what_follows_from_the_plan_is_no_option(tmp_path: Path) -> None:
    assert "follows from the recipe" in refusal(plain(tmp_path), cpus(), "nodes=4").what


def test_no_address_of_the_cluster_is_in_the_script(tmp_path: Path) -> None:
    text = script(plain(tmp_path, framework="pytorch", ranks=4), npus(0, 1, hosts=2))
    assert 'MASTER_ADDR="${addresses[0]}"' in text
    assert '"server_id": "${addresses[1]}"' in text
    assert '"device_ip": "${device_addresses[3]}"' in text
    assert not [address for address in ("10.0.0.", "192.168.", "198.18.", "198.19.") if address in text]


def test_hosts_need_no_device_addresses(tmp_path: Path) -> None:
    cluster = npus(0, 1, hosts=2)
    bare = tuple(host.model_copy(update={"devices": 2}) for host in cluster.hosts)
    assert "hccn_tool" in script(plain(tmp_path, ranks=4), cluster.model_copy(update={"hosts": bare}))


def test_the_run_is_named_after_the_job(tmp_path: Path) -> None:
    text = script(plain(tmp_path, args={"out": "{run_dir}/x"}), cpus())
    assert '--out=/runs/job-"$SLURM_JOB_ID"/x' in text
    assert JOB not in text


@pytest.mark.parametrize("text", [JOB, "tcp://198.18.100.101:80"])
def test_a_text_that_stands_for_something_is_refused(tmp_path: Path, text: str) -> None:
    assert "stands for what is known only when the job runs" in refusal(plain(tmp_path, args={"x": text}), cpus()).what


def test_mindspore_ranks_follow_the_order_of_the_nodes_addresses(tmp_path: Path) -> None:
    assert "LC_ALL=C sort" in script(plain(tmp_path, framework="mindspore", ranks=2), npus(0, hosts=2))
    assert "LC_ALL=C sort" not in script(plain(tmp_path, framework="pytorch"), npus(0, hosts=2))


def test_a_table_that_names_super_pods_is_refused(tmp_path: Path) -> None:
    error = refusal(plain(tmp_path, rank_table="1.2"), npus(0, 1, soc="Ascend910_9391"))
    assert isinstance(error, PlanError)


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    env = {"A": f"{HOSTILE}\n$(touch x)", "B": "{rank}"}
    jobs = (
        (plain(tmp_path, env=env, args=TEXTS), cpus()),
        (plain(tmp_path, framework="mindspore", ranks=4, env=env), npus(4, 5, hosts=2)),
        (plain(tmp_path, framework="pytorch", ranks=2, gang=False), npus(0, hosts=2)),
    )
    for place, job in enumerate(jobs):
        (tmp_path / f"{place}.sh").write_text(script(*job))
    assert complaints(*tmp_path.glob("*.sh")) == ""


@given(hostile_texts)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_recipe_becomes_a_line_of_its_own(tmp_path: Path, text: str) -> None:
    plainly = script(plain(tmp_path, args=["x"], env={"A": "x"}), cpus())
    nastily = script(plain(tmp_path, args=[text], env={"A": text}), cpus())
    assert directives(nastily) == directives(plainly)
    assert nastily.count("\n") == plainly.count("\n")
