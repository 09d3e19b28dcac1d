"""A plan that is to be launched knows this machine: its CANN, and the processors near to its devices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import PreflightError
from launcher.planning.model import LaunchPlan
from launcher.runs.home import write_file
from launcher.runs.store import example_run
from launcher.specs import Cluster, Host, recipe_from_mapping
from launcher.supervise.claims import Allotment
from launcher.supervise.preparation import plan_attempt

NPU_SMI = """\
#!/bin/bash
[ "$*" = "info -t topo" ] || exit 1
printf '\\t   NPU0       NPU1       CPU Affinity\\n'
printf 'NPU0       X          HCCS       0-3\\n'
printf 'NPU1       HCCS       X          0-3\\n'
"""


@pytest.fixture
def machine(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with CANN and npu-smi, which are this machine's."""
    del home
    for name, text in (("cann/set_env.sh", "export ASCEND_HOME_PATH=/opt/cann\n"), ("bin/npu-smi", NPU_SMI)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    return tmp_path


def planned(machine: Path, *, cann: Path | None = None, address: str = "127.0.0.1", **more: Any) -> LaunchPlan:
    soc, attempt = more.pop("soc", "Ascend910B3"), more.pop("attempt", 1)
    values = {"name": "job", "framework": "plain", "ranks": 2, "script": "t.py", "relative_to": str(machine)}
    host = Host(name="a", address=address, devices=more.get("ranks", 2))
    cluster = Cluster(name="lab", soc=soc, hosts=(host,), cann=None if cann is None else str(cann))
    return plan_attempt(
        recipe_from_mapping(values | more), cluster, example_run("job"), attempt, Allotment(frozenset(), 20480)
    )


def test_ranks_on_this_machine_get_its_cann_and_are_bound(machine: Path) -> None:
    launch = planned(machine, cann=machine / "cann")
    (environment,) = launch.host_environments
    assert environment.hosts == ("a",)
    assert environment.variables["ASCEND_HOME_PATH"] == "/opt/cann"
    assert [rank.cpus for rank in launch.ranks] == [(0, 1), (2, 3)]
    assert launch.warnings == ()


def test_the_cann_that_the_shell_has_set_up_is_taken_where_the_cluster_names_none(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCEND_HOME_PATH", str(machine / "cann"))
    assert planned(machine).host_environments[0].files[0] == f"{machine}/cann/set_env.sh"


def test_a_restart_keeps_the_cann_that_the_run_began_with(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASCEND_HOME_PATH", str(machine / "cann"))
    first = planned(machine)
    monkeypatch.delenv("ASCEND_HOME_PATH")
    write_file(example_run("job").layout.attempt(1).plan, first.model_dump_json())
    assert planned(machine).host_environments == first.host_environments


def test_a_cann_that_is_not_there_is_said(machine: Path) -> None:
    (warning,) = planned(machine, cann=machine / "elsewhere/cann").warnings
    assert warning.startswith(f"host a has no set_env.sh in {machine}/elsewhere/cann or beside it")


def test_a_cann_that_does_not_work_is_refused(machine: Path) -> None:
    (machine / "cann/set_env.sh").write_text("echo broken; false\n")
    with pytest.raises(PreflightError, match=r"sourcing .* failed"):
        planned(machine, cann=machine / "cann")


def test_each_independent_rank_goes_on_from_the_newest_checkpoint_of_its_own(machine: Path) -> None:
    checkpoint = {"dir": str(machine / "c" / "{rank}"), "resume_arg": "resume"}
    for number, (rank, step) in enumerate([(0, 4), (1, 9), (1, 2), (3, 1)]):
        path = machine / "c" / str(rank) / f"step_{step}.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (number, number))
    again = {"ranks": 4, "soc": "CPU", "checkpoint": checkpoint, "attempt": 2}
    apart = planned(machine, **again, gang=False)
    assert [Path(rank.resume_from or "").name for rank in apart.ranks] == [
        "step_4.ckpt",
        "step_2.ckpt",
        "",
        "step_1.ckpt",
    ]
    assert [rank.argv[2:] for rank in apart.ranks[1:3]] == [(f"--resume={machine}/c/1/step_2.ckpt",), ()]
    assert apart.resume_from is None
    assert planned(machine, **again).resume_from == f"{machine}/c/3/step_1.ckpt"  # a gang goes on from one
    first = planned(machine, **{**again, "attempt": 1}, gang=False)
    assert {rank.resume_from for rank in first.ranks} == {None}


def test_a_recipe_that_wants_no_binding_asks_nobody(machine: Path) -> None:
    (machine / "bin/npu-smi").write_text(f"#!/bin/bash\ntouch {machine}/asked\n")
    assert {rank.cpus for rank in planned(machine, binding="off").ranks} == {None}
    assert not (machine / "asked").exists()


def test_of_cpus_and_of_other_hosts_nothing_is_asked(machine: Path) -> None:
    (machine / "cann/set_env.sh").write_text(f"touch {machine}/asked\n")
    (machine / "bin/npu-smi").write_text(f"#!/bin/bash\ntouch {machine}/asked\n")
    for launch in (
        planned(machine, cann=machine / "cann", soc="CPU"),
        planned(machine, cann=machine / "cann", address="192.0.2.1"),
    ):
        assert launch.host_environments == ()
        assert {rank.cpus for rank in launch.ranks} == {None}
    assert not (machine / "asked").exists()


def test_a_home_that_cannot_be_written_does_not_keep_a_plan_from_being_seen(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPU_LAUNCH_HOME", "/proc/nowhere")
    assert planned(machine, cann=machine / "cann").host_environments
