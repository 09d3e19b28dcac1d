"""A plan as a folder of scripts, one a rank, which really starts the job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from golden.regenerate import golden_plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts import BASH, HOSTILE, TEXTS, bash, complaints, cpus, env_names, hostile_texts, npus, plain, planned, said

from launcher.planning.model import LaunchPlan
from launcher.planning.rendering import Artifact, render_sh, sh_files


def written(files: Sequence[Artifact], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).write_text(file.text)
    return folder


def hostile_plan(folder: Path) -> LaunchPlan:
    home = folder / HOSTILE
    home.mkdir()
    args = ["{rank}\n$(touch x)", *TEXTS]
    env = {"log": "`touch x`", "rank": "{local_rank}", "UID": "7", "PATH": "nowhere", "BASH_ENV": "$(touch x)"}
    return planned(plain(home, ranks=8, args=args, env=env), cpus(), home)


def test_eight_ranks_run_from_a_script_each(tmp_path: Path) -> None:
    launch = hostile_plan(tmp_path)
    done = bash(written(sh_files(launch), tmp_path / "scripts") / "launch.sh", env={"MS_ROLE": "leaked"})
    logs = [f"rank_{process.rank}: {process.log}" for process in launch.ranks]
    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (0, "", logs)
    for rank in launch.ranks:
        answer = said(rank)
        assert tuple(answer["argv"]) == rank.argv[2:]
        assert answer["cwd"] == rank.cwd
        assert dict(rank.env).items() <= answer["env"].items()
        assert "MS_ROLE" not in answer["env"]
        assert Path(rank.cann_log_dir).is_dir()
    assert not list(tmp_path.rglob("x"))


def test_each_script_runs_alone(tmp_path: Path) -> None:
    launch = hostile_plan(tmp_path)
    done = bash(written(sh_files(launch), tmp_path / "scripts") / "rank_5.sh")
    assert done.returncode == 0, done.stderr
    assert '"NPU_LAUNCH_RANK": "5"' in done.stdout


def test_a_rank_that_fails_ends_the_others(tmp_path: Path) -> None:
    program = tmp_path / "one"
    program.write_text(f"#!{BASH}\n((NPU_LAUNCH_RANK == 1)) && exit 7\necho $$\nexec sleep 300\n")
    program.chmod(0o755)
    launch = planned(plain(tmp_path, script="one"), cpus(), tmp_path)
    done = bash(written(sh_files(launch), tmp_path / "scripts") / "launch.sh")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("rank_1 ended with exit code 7: ")
    started = Path(launch.ranks[0].log).read_text()  # it may have been ended before it said anything
    assert not started or not psutil.pid_exists(int(started))


def test_a_program_with_an_equals_sign_is_a_program(tmp_path: Path) -> None:
    program = tmp_path / "A=b"
    program.write_text(f"#!{BASH}\necho ran\n")
    program.chmod(0o755)
    launch = planned(plain(tmp_path, script="A=b", ranks=1), cpus(), tmp_path)
    assert bash(written(sh_files(launch), tmp_path / "scripts") / "launch.sh").returncode == 0
    assert Path(launch.ranks[0].log).read_text() == "ran\n"


def test_bound_ranks_run_on_their_processors(tmp_path: Path) -> None:
    program = tmp_path / "one"
    program.write_text(f"#!{BASH}\ngrep Cpus_allowed_list /proc/self/status\n")
    program.chmod(0o755)
    launch = planned(plain(tmp_path, script="one", ranks=1), cpus(), tmp_path)
    first = min(psutil.Process().cpu_affinity() or [0])
    bound = launch.model_copy(update={"ranks": (launch.ranks[0].model_copy(update={"cpus": (first,)}),)})
    assert bash(written(sh_files(bound), tmp_path / "scripts") / "launch.sh").returncode == 0
    assert Path(launch.ranks[0].log).read_text().split()[-1] == str(first)
    Path(launch.ranks[0].log).unlink()
    (tmp_path / "all.sh").write_text(render_sh(bound))
    assert bash(tmp_path / "all.sh").returncode == 0
    assert Path(launch.ranks[0].log).read_text().split()[-1] == str(first)


def test_the_rank_table_is_a_file_that_the_scripts_put_in_its_place(tmp_path: Path) -> None:
    launch = planned(plain(tmp_path), npus(0, 1), tmp_path)
    folder = written(sh_files(launch), tmp_path / "scripts")
    assert launch.rank_table is not None
    assert (folder / "hccl.json").read_text() == launch.rank_table.to_json()
    assert bash(folder / "launch.sh").returncode == 0
    assert Path(said(launch.ranks[1])["env"]["RANK_TABLE_FILE"]).read_text() == launch.rank_table.to_json()


def test_several_hosts_have_one_folder_and_are_named(tmp_path: Path) -> None:
    files = {file.name: file for file in sh_files(golden_plan())}
    assert list(files) == ["launch.sh", "hccl.json", "scheduler.sh", *(f"rank_{rank}.sh" for rank in range(4))]
    assert all(file.is_executable == (file.name != "hccl.json") for file in files.values())
    folder = written(list(files.values()), tmp_path / "scripts")
    assert "node-a node-b" in bash(folder / "launch.sh").stderr
    assert "no host elsewhere in the plan" in bash(folder / "launch.sh", "elsewhere").stderr


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    for place, launch in enumerate((golden_plan(), hostile_plan(tmp_path))):
        folder = written(sh_files(launch), tmp_path / str(place))
        (folder / "all.sh").write_text(render_sh(launch))
        assert complaints(*folder.glob("*.sh")) == ""


@given(
    args=st.lists(hostile_texts, max_size=4),
    env=st.dictionaries(env_names, hostile_texts, max_size=4),
    name=hostile_texts,
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_rank_gets_what_the_plan_says_whatever_it_is(
    tmp_path_factory: pytest.TempPathFactory, args: list[str], env: dict[str, str], name: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    home = folder / HOSTILE
    home.mkdir()
    launch = planned(plain(home, args=[*args, "{rank}"], env=env), cpus(), home).model_copy(update={"name": name})
    (folder / "all.sh").write_text(render_sh(launch))
    for script in (folder / "all.sh", written(sh_files(launch), folder / "scripts") / "launch.sh"):
        done = bash(script)
        assert done.returncode == 0, done.stderr
        for rank in launch.ranks:
            answer = said(rank)
            assert (tuple(answer["argv"]), answer["cwd"]) == (rank.argv[2:], rank.cwd)
            assert dict(rank.env).items() <= answer["env"].items()
            Path(rank.log).unlink()
