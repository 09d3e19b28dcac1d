"""Code on its way from a laptop over ssh to machines that have nothing of it, and to machines that share its folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines import Machines, need_machines

ROOT = Path(__file__).parents[3]
CLIENT = """
import json, sys
from pathlib import Path
from launcher.hosts.code.synchronise import synchronise
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.ways import Ways
from launcher.specs import Host, Ssh

root, *addresses = sys.argv[1:]
hosts = [Host(name=address, address=address, devices=1) for address in addresses]
provided = {host.name: Provided(host.name, "/root/.npu-launch", sys.executable, "") for host in hosts}
told = []
with Ways(Ssh()) as ways:
    found = synchronise(Path(root), hosts, ways, provided, told.append)
print(json.dumps({"folders": {name: str(folder) for name, folder in found.items()}, "told": told}))
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    need_machines()
    with Machines("node-1", "node-2") as made:
        yield made


def synchronise(machines: Machines, root: Path) -> tuple[set[str], list[str]]:
    """The folders of the code on the machines, and what was told on the way."""
    target = machines.laptop.entering()[1]
    home = f"HOME={machines.laptop.path('/root')}"
    environment = ["env", "-u", "SSH_AUTH_SOCK", home, f"PYTHONPATH={ROOT}"]
    addresses = [machine.address for machine in machines.servers]
    argv = ["nsenter", target, "--net", *environment, sys.executable, "-c", CLIENT, str(root), *addresses]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    return set(said["folders"].values()), said["told"]


def test_a_laptops_code_comes_to_all_machines_and_then_only_what_is_new(machines: Machines) -> None:
    root = machines.laptop.path("/root/project")  # where only the laptop sees it
    (root / "pkg").mkdir(parents=True)
    for number in range(200):
        (root / f"pkg/f{number}.py").write_text(f"x = {number}\n" * 100)
    (root / "train.sh").write_text("#!/bin/sh\necho trained\n")
    (root / "train.sh").chmod(0o755)
    (folder,), _ = synchronise(machines, root)
    for machine in machines.servers:
        assert machine.run(f"{folder}/train.sh").stdout == "trained\n"
        assert machine.run("ls", f"{folder}/pkg").stdout.count(".py\n") == 200
    assert synchronise(machines, root) == ({folder}, [])
    (root / "pkg/f0.py").write_text("changed")
    (changed,), told = synchronise(machines, root)
    assert changed != folder
    assert "1 of 201 files" in told[0]


def test_code_on_a_file_system_that_machines_share_does_not_travel(machines: Machines, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 1\n")
    assert synchronise(machines, tmp_path) == ({str(tmp_path)}, [])
