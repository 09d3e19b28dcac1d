"""Real runs whose ranks are forked from a process that has imported their libraries."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from launcher.errors import ExitCode
from launcher.runs.state import RunPhase
from tests.end_to_end import latest, npu_launch, npu_launch_beside, pids, wait_for, wait_until_running
from tests.test_recovery_end_to_end import shim_pid

pytestmark = pytest.mark.usefixtures("home")

SCRIPT = """
import os, sys, time
import heavy
print("rank", os.environ["RANK_ID"], "of attempt", os.environ["NPU_LAUNCH_ATTEMPT"], sys.argv[1:], __name__)
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.02)
sys.exit(3 if os.environ["RANK_ID"] == "1" and os.environ["NPU_LAUNCH_ATTEMPT"] == "1" else 0)
"""


def write_job(folder: Path, library: str, *, prewarm: str = "on", **fields: object) -> Path:
    """A Python recipe whose script imports a library that notes each import in a file."""
    (folder / "libraries").mkdir()
    noted = f"open({str(folder / 'imports')!r}, 'a').write('x')\n"
    (folder / "libraries" / "heavy.py").write_text(noted + library)
    (folder / "scripts").mkdir()
    (folder / "scripts" / "train.py").write_text(SCRIPT)
    recipe = folder / "recipe.yaml"
    spec = {
        "name": "warm",
        "framework": "plain",
        "ranks": 4,
        "script": "scripts/train.py",
        "args": ["--x=1"],
        "prewarm": prewarm,
        "env": {"PYTHONPATH": str(folder / "libraries"), "GO": str(folder / "go")},
        **fields,
    }
    recipe.write_text(json.dumps(spec))
    return recipe


def imports(folder: Path) -> int:
    return len((folder / "imports").read_text())


def test_ranks_that_are_forked_import_once_and_run_as_if_started(tmp_path: Path) -> None:
    with npu_launch_beside(write_job(tmp_path, "")) as command:
        run = wait_until_running()
        wait_for(lambda: all(run.rank_log(1, r).exists() and run.rank_log(1, r).read_text() for r in range(4)), "lines")
        assert imports(tmp_path) == 1
        for rank, pid in pids(run).items():
            process = psutil.Process(pid)
            assert process.ppid() == shim_pid(run)
            assert process.cmdline()[-2:] == [str(tmp_path / "scripts/train.py"), "--x=1"]
            assert run.rank_log(1, rank).read_text() == f"rank {rank} of attempt 1 ['--x=1'] __main__\n"
        (tmp_path / "go").touch()
        command.communicate(timeout=60)
    assert command.returncode == ExitCode.JOB_FAILED
    assert run.state().first_failure is not None
    assert run.state().first_failure.rank == 1


def test_a_restart_forks_from_the_same_process(tmp_path: Path) -> None:
    recipe = write_job(tmp_path, "", restart={"policy": "group", "max_restarts": 1})
    (tmp_path / "go").touch()
    done = npu_launch(recipe)
    assert done.code == ExitCode.OK, done.err
    assert imports(tmp_path) == 1
    assert latest().rank_log(2, 3).read_text() == "rank 3 of attempt 2 ['--x=1'] __main__\n"


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "thread"),
        ("left_open = open('/etc/passwd', 'rb')", "/etc/passwd"),
        ("import os\nos._exit(7)", "code 7"),
    ],
)
def test_a_process_that_cannot_be_forked_from_is_told_and_done_without(
    tmp_path: Path, library: str, reason: str
) -> None:
    (tmp_path / "go").touch()
    npu_launch("run", "-d", write_job(tmp_path, library, gang=False))
    run = latest()
    wait_for(lambda: run.state().phase.ended, "the run has ended")
    (note,) = [note.text for note in run.state().notes if "not forked" in note.text]
    assert reason in note
    assert imports(tmp_path) == 5


def test_a_run_whose_ranks_wait_for_the_imports_can_be_stopped(tmp_path: Path) -> None:
    npu_launch("run", "-d", write_job(tmp_path, "import time\ntime.sleep(60)"))
    wait_for(lambda: (tmp_path / "imports").exists(), "the library is being imported")
    assert npu_launch("stop").code == ExitCode.OK
    assert latest().state().phase is RunPhase.STOPPED
    assert not pids(latest())


def test_a_plain_job_is_started_plainly_by_default(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    npu_launch(write_job(tmp_path, "", prewarm="auto", gang=False))
    assert imports(tmp_path) == 4
