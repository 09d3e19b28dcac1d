"""Machines that a laptop provides with an environment, and what it hears meanwhile."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.machines import Machine, Machines, need_machines

ROOT = Path(__file__).parents[3]
CLIENT = """
import dataclasses, json, sys
from launcher.errors import NpuLaunchError
from launcher.hosts.provision.provide import provide
from launcher.hosts.ways import Ways
from launcher.specs import Host

asked, told = json.loads(sys.argv[1]), []
with Ways() as ways:
    outcomes = provide([Host(devices=1, **host) for host in asked["hosts"]], ways, home=asked["home"], tell=told.append)
said = {
    name: {"where": one.where, "what": one.what, "remedy": one.remedy}
    if isinstance(one, NpuLaunchError) else dataclasses.asdict(one)
    for name, one in outcomes.items()
}
print(json.dumps({"outcomes": said, "told": told}))
"""


TOO_OLD = "SyntaxError: future feature annotations is not defined"  # Python 3.6


@dataclass(frozen=True)
class Said:
    outcomes: dict[str, dict[str, str]]
    told: list[str]

    def pushed(self) -> list[str]:
        """The hosts that something was pushed to."""
        return sorted(line.partition(":")[0] for line in self.told if "environment pushed in" in line)


Provide = Callable[..., Said]


def no_python(folder: Path) -> Path:
    """Files that lie over a machine's: its interpreters are too old to understand us."""
    programs = folder / "usr/bin"
    programs.mkdir(parents=True)
    for name in ("python3", "python3.11", "python3.10", "python3.12"):
        (programs / name).write_text(f"#!/bin/sh\necho '{TOO_OLD}' >&2\nexit 1\n")
        (programs / name).chmod(0o755)
    return folder


def strip(machine: Machine) -> None:
    """Take from a machine what it has of this one: the interpreter that runs the tests, and this tree."""
    machine.run("umount", "--lazy", sys.base_prefix)
    machine.run("mount", "-t", "tmpfs", "tmpfs", str(ROOT))


@pytest.fixture(scope="session")
def store() -> Iterator[Path]:
    """The laptop's npu-launch home, where what is packed is packed once; and npu-launch, which does not change."""
    folder = Path(tempfile.mkdtemp(prefix="nl-up-"))
    shutil.copytree(ROOT / "launcher", folder / "code/launcher")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """`bare` and `twin` have no Python, `usual` has the system's; none has anything of ours."""
    need_machines()
    over = no_python(tmp_path_factory.mktemp("over"))
    with Machines("bare", "twin", "usual", files={"bare": [over], "twin": [over]}) as made:
        for machine in made.servers:
            strip(machine)
        yield made


@pytest.fixture(scope="session")
def provide(machines: Machines, store: Path) -> Provide:
    """Provide hosts, from the laptop."""

    def ask(*names: str, home: str | None = None, **settings: Any) -> Said:
        hosts = [{"name": name, "address": machines[name].address, **settings} for name in names]
        return said_by(command(machines, store, hosts, home))

    return ask


def command(machines: Machines, store: Path, hosts: list[dict[str, Any]], home: str | None = None) -> list[str]:
    """The command that provides hosts, on the laptop's network and with the laptop's home."""
    target = machines.laptop.entering()[1]
    variables = [f"HOME={machines.laptop.path('/root')}", f"NPU_LAUNCH_HOME={store}", f"PYTHONPATH={store}/code"]
    asked = json.dumps({"hosts": hosts, "home": home})
    unset = ("-u", "SSH_AUTH_SOCK")
    return ["nsenter", target, "--net", "env", *unset, *variables, sys.executable, "-c", CLIENT, asked]


def said_by(argv: list[str]) -> Said:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280, cwd="/")
    assert done.stderr == ""
    return Said(**json.loads(done.stdout))
