"""Machines that have sshd, sh, tar and gzip get an environment from which npu-launch and Ray run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hosts.provision.conftest import TOO_OLD, Provide, command, said_by
from tests.machines import Machine, Machines

HOME = "/root/.npu-launch"


@contextmanager
def mounted(machine: Machine, path: str, options: str) -> Iterator[None]:
    """A file system of its own at a folder of a machine."""
    machine.run("mkdir", "-p", path)
    assert machine.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path).returncode == 0
    try:
        yield
    finally:
        machine.run("umount", "--lazy", path)


@pytest.fixture(scope="module")
def python(provide: Provide) -> str:
    """The interpreter of the environment on `bare`, which is there."""
    found = provide("bare").outcomes["bare"]
    assert "python" in found, found
    return found["python"]


def test_a_host_without_python_gets_an_environment_from_which_npu_launch_and_ray_run(
    machines: Machines, python: str
) -> None:
    bare = machines["bare"]
    assert re.fullmatch(f"{HOME}/env/[0-9a-f]{{16}}/bin/python", python)
    assert bare.run(python.replace("bin/python", "bin/npu-launch"), "--version").stdout.startswith("npu-launch ")
    assert bare.run(python, "-c", "import ray; print(ray.__file__)").stdout.startswith(HOME)


def test_its_ray_starts_and_ends(machines: Machines, python: str) -> None:
    program = "import ray; ray.init(num_cpus=0, include_dashboard=False, log_to_driver=False); print(len(ray.nodes()))"
    ran = machines["bare"].run(
        "env", "-C", "/", python, "-c", program, environment={"RAY_USAGE_STATS_ENABLED": "0"}, timeout=120
    )
    assert ran.stdout.strip() == "1", ran.stderr


def test_nobody_else_may_read_it(machines: Machines, python: str) -> None:
    environment = Path(python).parents[1]
    others = machines["bare"].run("find", str(environment), "-perm", "/077", "!", "-type", "l").stdout
    folders = machines["bare"].run("stat", "-c", "%a", HOME, f"{HOME}/env").stdout.split()
    assert (others, folders) == ("", ["700", "700"])


def test_what_is_there_is_tried_and_not_pushed_again(machines: Machines, provide: Provide, python: str) -> None:
    said = provide("bare")
    assert (said.outcomes["bare"]["python"], said.told) == (python, [])


def test_an_environment_that_is_broken_is_pushed_anew_and_once_to_hosts_that_share_it(
    machines: Machines, store: Path, python: str
) -> None:
    bare = machines["bare"]
    bare.run("rm", "-f", f"{Path(python).parents[1]}/lib/python3.{sys.version_info[1]}/site-packages/ray/__init__.py")
    hosts = [{"name": name, "address": bare.address} for name in ("one", "two")]  # they share more than their home
    said = said_by(command(machines, store, hosts))
    assert said.pushed() == ["one"]
    assert (said.outcomes["one"]["python"], said.outcomes["two"]["python"]) == (python, python)
    assert bare.run("ls", "-A", f"{HOME}/env").stdout.split() == [".id", Path(python).parts[-3]]


def test_packages_alone_are_pushed_onto_a_python_that_is_there_and_two_pushes_at_once_do_not_hurt_each_other(
    machines: Machines, store: Path
) -> None:
    usual = machines["usual"]
    host = {"name": "usual", "address": usual.address}
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(said_by, [command(machines, store, [host])] * 2)
    assert first.outcomes == second.outcomes
    python = first.outcomes["usual"]["python"]
    assert usual.run(python, "-c", "import ray, sys; print(sys.base_prefix)").stdout == "/usr\n"
    assert usual.run("ls", "-A", f"{HOME}/env").stdout.split() == [".id", Path(python).parts[-3]]
    named = said_by(command(machines, store, [{**host, "python": python}], home="/opt/elsewhere")).outcomes["usual"]
    assert (named["python"], named["home"]) == (python, "/opt/elsewhere"), (
        "an interpreter that is named and fits is used"
    )


def test_a_named_interpreter_without_npu_launch_is_told_and_an_environment_is_used(
    provide: Provide, python: str
) -> None:
    said = provide("bare", python="/usr/bin/python3")
    assert said.outcomes["bare"]["python"] == python
    assert said.told == [f"bare: /usr/bin/python3 does not run ({TOO_OLD}): an environment of our own is used"]


@pytest.mark.parametrize(
    ("home", "options", "step", "what", "remedy"),
    [
        ("/full/home", "size=64k", "look", "the disk is full: 0 MB free on /full", "another disk"),
        (
            "/small/home",
            "size=20m",
            "push",
            "the environment needs .* and there are 21 MB free on /small",
            "NPU_LAUNCH_HOME",
        ),
        ("/fixed/home", "ro", "look", "/fixed/home takes no files: .*Read-only file system", "NPU_LAUNCH_HOME"),
    ],
)
def test_a_home_that_cannot_take_an_environment_is_named_with_what_to_do(
    machines: Machines, provide: Provide, home: str, options: str, step: str, what: str, remedy: str
) -> None:
    with mounted(machines["twin"], str(Path(home).parent), options):
        error = provide("twin", home=home).outcomes["twin"]
    assert error["where"] == f"host twin, {step}", error
    assert re.search(what, error["what"]), error
    assert remedy in error["remedy"]


def test_a_host_that_fails_leaves_the_others_alone(provide: Provide, python: str) -> None:
    outcomes = provide("bare", "twin", ssh={"user": "nobody-here"}).outcomes
    assert all(error["where"].endswith("log in") for error in outcomes.values()), outcomes
