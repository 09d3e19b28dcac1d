"""What CANN's set_env.sh leaves is what ranks get, once per host, and nothing is guessed."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launcher.errors import PreflightError
from launcher.hosts.reach import Answer, ThisMachine
from launcher.hosts.set_env import captured, host_environment, read_environments
from launcher.planning.environment.set_env_files import candidates, driver_libraries
from launcher.planning.model import HostEnvironment
from launcher.specs import Framework
from launcher.supervise.shim.environment import whole_environment

# In the manner of CANN 8.
SCRIPT = """\
export LD_LIBRARY_PATH={root}/lib64:{root}/lib64/plugin/opskernel:$LD_LIBRARY_PATH
export PYTHONPATH={root}/python/site-packages:$PYTHONPATH
export PATH={root}/bin:$PATH
export ASCEND_HOME_PATH={root}
export ASCEND_AICPU_PATH={root}
"""


class CountingMachine:
    """This machine, and how often a script was sourced on it."""

    def __init__(self, **environment: str) -> None:
        self._machine = ThisMachine(environment)
        self.sourced = 0

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        self.sourced += "set_env" in argv
        return self._machine.run(argv, input=input, timeout=timeout)

    def close(self) -> None:
        pass


@pytest.fixture
def cann(tmp_path: Path) -> Path:
    """CANN 8.5 in a folder of a hostile name."""
    folder = tmp_path / "As cend'; touch x #" / "cann"
    folder.mkdir(parents=True)
    (folder / "set_env.sh").write_text(SCRIPT.format(root='"$(dirname "${BASH_SOURCE[0]}")"'))
    return folder


def environment(
    cann: Path,
    cache: Path | None = None,
    machine: CountingMachine | None = None,
    framework: Framework = Framework.PLAIN,
) -> HostEnvironment:
    found = host_environment(machine or CountingMachine(), "a", str(cann), framework, cache)
    assert found is not None
    return found


def whole(found: HostEnvironment, inherited: Mapping[str, str]) -> dict[str, str]:
    plan = {"unset": [], "host_environments": [found.model_dump()]}
    return whole_environment(inherited, plan, {"host": "a", "env": {}})


# -- what is captured --------------------------------------------------------------------------------------------------


def test_path_lists_grow_and_the_rest_is_set(cann: Path) -> None:
    found = environment(cann)
    assert dict(found.variables) == {"ASCEND_HOME_PATH": str(cann), "ASCEND_AICPU_PATH": str(cann)}
    assert dict(found.prepended) == {
        "LD_LIBRARY_PATH": f"{cann}/lib64:{cann}/lib64/plugin/opskernel",
        "PYTHONPATH": f"{cann}/python/site-packages",
        "PATH": f"{cann}/bin",
    }
    assert found.files[0] == f"{cann}/set_env.sh"


def test_a_rank_gets_it_above_what_it_inherits_and_below_its_own(cann: Path) -> None:
    found = environment(cann)
    inherited = {"PATH": "/venv/bin:/usr/bin", "LD_LIBRARY_PATH": f"/mine:{cann}/lib64", "ASCEND_HOME_PATH": "/old"}
    env = whole(found, inherited)
    assert env["PATH"] == f"{cann}/bin:/venv/bin:/usr/bin"
    assert env["ASCEND_HOME_PATH"] == str(cann)
    assert env["LD_LIBRARY_PATH"] == f"{cann}/lib64:{cann}/lib64/plugin/opskernel:/mine", "nothing twice"
    plan = {"unset": ["ASCEND_HOME_PATH"], "host_environments": [found.model_dump()]}
    assert whole_environment(inherited, plan, {"host": "a", "env": {"PATH": "/own"}})["PATH"] == "/own"
    assert whole_environment(inherited, plan, {"host": "b", "env": {}})["PATH"] == inherited["PATH"]
    assert "ASCEND_HOME_PATH" not in whole_environment(inherited, plan, {"host": "b", "env": {}})


def test_what_the_launching_shell_has_sourced_does_not_hide_it(cann: Path) -> None:
    script = cann / "set_env.sh"
    script.write_text('case ":$LD_LIBRARY_PATH:" in *:/x:*) ;; *) export LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH ;; esac\n')
    sourced_already = CountingMachine(LD_LIBRARY_PATH="/x", BASH_ENV=str(script))
    assert dict(environment(cann, machine=sourced_already).prepended) == {"LD_LIBRARY_PATH": "/x"}


def test_the_drivers_libraries_are_added_when_the_script_lacks_them(cann: Path) -> None:
    libraries = cann.parent / "driver/lib64"
    (libraries / "common").mkdir(parents=True)
    found = environment(cann)
    assert found.appended["LD_LIBRARY_PATH"].startswith(f"{libraries}:{libraries}/common")
    (cann / "set_env.sh").write_text(f'export LD_LIBRARY_PATH="{libraries}:$LD_LIBRARY_PATH"\n')
    assert environment(cann).appended["LD_LIBRARY_PATH"].startswith(f"{libraries}/common")


def test_a_host_that_speaks_chinese_has_the_same_folders(cann: Path, tmp_path: Path) -> None:
    (cann.parent / "driver/lib64").mkdir(parents=True)
    speaker = tmp_path / "bin/stat"
    speaker.parent.mkdir()
    speaker.write_text('#!/bin/sh\nPATH=/usr/bin:/bin\nstat "$@" | sed s/directory/目录/\n')
    speaker.chmod(0o755)
    assert environment(cann, machine=CountingMachine(PATH=f"{speaker.parent}:/usr/bin:/bin")).appended


def test_values_of_any_text_pass(cann: Path) -> None:
    (cann / "set_env.sh").write_text("export A=$'1\\n2=3' B='训练' C= \nf() { :; }\nexport -f f\n")
    assert dict(environment(cann).variables) == {"A": "1\n2=3", "B": "训练", "C": ""}


def test_a_script_that_talks_does_no_harm(cann: Path) -> None:
    (cann / "set_env.sh").write_text("echo A=2; printf 'B=3\\0'; export A=1; cat\n")
    assert dict(environment(cann).variables) == {"A": "1"}


def test_a_script_that_breaks_its_own_shell_does_no_harm(cann: Path) -> None:
    (cann / "set_env.sh").write_text("trap 'echo bye' EXIT; set -- a b; file=/x; export A=1; unset PATH HOME\n")
    found = environment(cann)
    assert (dict(found.variables), dict(found.prepended)) == ({"A": "1"}, {})


def test_a_rank_of_another_job_that_a_script_names_is_not_taken(cann: Path) -> None:
    (cann / "set_env.sh").write_text("export OMP_NUM_THREADS=4 OMPI_COMM_WORLD_RANK=7 RANK_TABLE_FILE=/old\n")
    assert dict(environment(cann).variables) == {"OMP_NUM_THREADS": "4"}


# -- where it is looked for --------------------------------------------------------------------------------------------


def test_without_cann_there_is_nothing(tmp_path: Path) -> None:
    found = host_environment(ThisMachine(), "a", str(tmp_path / "latest"), Framework.PLAIN, None)
    assert found is None or not found.variables, "but for the libraries of a driver that this machine has"


def test_the_script_is_in_the_folder_or_above_it(cann: Path) -> None:
    latest = cann / "latest"
    latest.mkdir()
    assert environment(latest).files[0] == f"{cann}/set_env.sh"
    (latest / "set_env.sh").write_text("export A=1\n")
    assert environment(latest).files[0] == f"{latest}/set_env.sh"


def test_other_packages_of_the_installation_follow(cann: Path) -> None:
    for name in ("nnal/atb", "tfplugin"):
        (cann.parent / name).mkdir(parents=True)
        (cann.parent / name / "set_env.sh").write_text(f"export LAST={name}\n")
    assert environment(cann).variables["LAST"] == "nnal/atb"
    assert environment(cann, framework=Framework.TENSORFLOW).variables["LAST"] == "tfplugin"


def test_where_no_folder_is_named_it_is_where_the_installer_puts_it() -> None:
    toolkit, *_ = candidates(None, Framework.PLAIN)
    assert toolkit[:2] == ("/usr/local/Ascend/cann/set_env.sh", "/usr/local/Ascend/ascend-toolkit/set_env.sh")
    assert "/usr/local/Ascend/driver/lib64/common" in driver_libraries(None)
    groups = candidates("/opt/Ascend/ascend-toolkit/latest", Framework.TENSORFLOW)
    assert groups == (
        ("/opt/Ascend/ascend-toolkit/latest/set_env.sh", "/opt/Ascend/ascend-toolkit/set_env.sh"),
        ("/opt/Ascend/nnal/atb/set_env.sh",),
        ("/opt/Ascend/tfplugin/set_env.sh",),
    )


# -- once per host -----------------------------------------------------------------------------------------------------


def test_a_script_is_sourced_once_until_it_changes(cann: Path, tmp_path: Path) -> None:
    machine, cache = CountingMachine(), tmp_path / "cache"
    first = environment(cann, cache, machine)
    assert environment(cann, cache, machine) == first
    assert machine.sourced == 1
    (cann / "set_env.sh").write_text("export A=1\n")
    assert dict(environment(cann, cache, machine).variables) == {"A": "1"}
    assert machine.sourced == 2
    assert len(list(cache.iterdir())) == 1, "the old answer is gone"


def test_another_version_behind_the_same_link_is_a_change(cann: Path, tmp_path: Path) -> None:
    machine, cache, latest = CountingMachine(), tmp_path / "cache", cann / "latest"
    for version in ("8.0", "8.1"):
        (cann / version).mkdir()
        latest.unlink(missing_ok=True)
        latest.symlink_to(version)
        environment(latest, cache, machine)
    assert machine.sourced == 2


def test_a_new_toolkit_behind_a_script_that_stays_is_a_change(cann: Path, tmp_path: Path) -> None:
    machine, cache = CountingMachine(), tmp_path / "cache"
    for version in ("8.0", "8.1"):
        (cann / "next").symlink_to(version)
        (cann / "next").replace(cann / "latest")
        environment(cann, cache, machine)
    assert machine.sourced == 2


def test_the_cache_is_private(cann: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    environment(cann, cache)
    (kept,) = cache.iterdir()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "[" * 5000, '{"variables": {}}', '{"variables": {"A": 1}, "prepended": {}, "appended": {}}'],
)
def test_a_spoilt_cache_is_no_answer(cann: Path, tmp_path: Path, content: str) -> None:
    machine, cache = CountingMachine(), tmp_path / "cache"
    first = environment(cann, cache, machine)
    (kept,) = cache.iterdir()
    kept.write_text(content)
    assert environment(cann, cache, machine) == first
    assert environment(cann, cache, machine) == first
    assert machine.sourced == 2


def test_a_cache_that_cannot_be_written_is_done_without(cann: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert environment(cann, tmp_path / "file/cache").variables


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no toolkit here; false", "no toolkit here"),
        ("if then", "syntax error"),
        ("exit 0", "left no environment"),
        ("exit 3", "failed"),
        ("exec /no/such/program", "/no/such/program"),
        ("export A=$'\\xff'", "not UTF-8"),
        ("kill -9 $$", "failed"),
    ],
)
def test_a_script_that_fails_is_refused_with_its_words(cann: Path, script: str, said: str) -> None:
    (cann / "set_env.sh").write_text(script + "\n")
    with pytest.raises(PreflightError) as caught:
        environment(cann)
    assert said in str(caught.value)
    assert "host a" in str(caught.value)
    assert "set_env.sh" in str(caught.value)


# -- pure --------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "A", "B"])
PARTS = st.lists(st.sampled_from(["/a", "/b", "/c", "/d"]), max_size=3, unique=True).map(":".join)
ENVIRONMENTS = st.dictionaries(NAMES, PARTS)


@given(ENVIRONMENTS, ENVIRONMENTS)
@settings(max_examples=80, deadline=None)
@example({}, {"PATH": "/a:"})
def test_applying_what_changed_gives_the_environment_after(before: dict[str, str], after: dict[str, str]) -> None:
    changes = captured(before, after)
    layer = {
        "hosts": ["a"],
        "variables": changes.variables,
        "prepended": changes.prepended,
        "appended": changes.appended,
    }
    env = whole_environment(before, {"unset": [], "host_environments": [layer]}, {"host": "a", "env": {}})
    for name, value in after.items():
        parts = [part for part in value.split(":") if part]
        if name in changes.prepended or name in changes.appended:
            assert set(parts) <= set(env[name].split(":"))
        elif value != before.get(name):
            assert env.get(name, "") == value or not parts


@given(st.binary(max_size=60))
@settings(max_examples=80, deadline=None)
@example(b"A=1\0=npu-launch=\0A=1\0B=2\0")
@example(b"A=1\0=npu-launch=\0A=1")
def test_any_output_is_two_environments_or_none(output: bytes) -> None:
    read = read_environments(output)
    assert read is None or all(isinstance(value, str) for each in read for value in each.values())
