"""`up` and `down` from a laptop: whom it believes, and what it says when it cannot log in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.fleet.site import commands
from tests.machines import Machines, need_machines

NPU_LAUNCH = (sys.executable, "-m", "launcher.cli.main")
HOST = "  - {{name: {name}, address: {address}, devices: 2, python: {python}, ssh: {{{ssh}}}}}\n"


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    need_machines()
    with Machines("node-1", "node-2") as made:
        yield made


def npu_launch(machines: Machines, command: str, *options: str, ssh: str = "") -> subprocess.CompletedProcess[str]:
    """A command about both nodes, typed at the laptop."""
    spec = "name: pair\nsoc: CPU\nhosts:\n"
    for node in machines.servers:
        spec += HOST.format(name=node.name, address=node.address, python=sys.executable, ssh=ssh)
    machines.laptop.path("/root/pair.yaml").write_text(spec)
    return machines.laptop.run(*NPU_LAUNCH, command, "/root/pair.yaml", *options, timeout=200)


def known_hosts(machines: Machines) -> str:
    return machines.laptop.path("/root/.ssh/known_hosts").read_text()


def test_a_user_who_may_not_log_in_is_told_for_every_host(machines: Machines) -> None:
    done = npu_launch(machines, "up", ssh="user: nobody")
    assert done.returncode == 4
    for node in machines.servers:
        assert f"npu-launch: host {node.name}, log in: " in done.stderr
    assert "error: something is wrong with 2 hosts: node-1, node-2" in done.stderr


def test_unknown_keys_are_refused_until_they_are_accepted(machines: Machines) -> None:
    path = machines.laptop.path("/root/.ssh/known_hosts")
    before = path.read_text()
    try:
        path.write_text("")
        refused = npu_launch(machines, "down")
        assert refused.returncode == 4
        assert "is unknown: ssh-ed25519 SHA256:" in refused.stderr
        assert known_hosts(machines) == ""
        taken = npu_launch(machines, "up", "--accept-new-host-keys", ssh="user: nobody")  # accepted before any login
        for node in machines.servers:
            shown = f"npu-launch: {node.name}: {node.address} has the key ssh-ed25519 SHA256:"
            assert shown in taken.stderr
            assert f"{node.address} ssh-ed25519 " in known_hosts(machines)
        assert npu_launch(machines, "down").returncode == 0
    finally:
        path.write_text(before)


def test_a_changed_key_is_refused_whatever_is_accepted(machines: Machines) -> None:
    path = machines.laptop.path("/root/.ssh/known_hosts")
    before = path.read_text()
    one, two = (node.address for node in machines.servers)
    keys = {line.split()[0].split(",")[1]: line.split()[2] for line in before.splitlines()}
    try:
        path.write_text(before.replace(keys[one], keys[two]))
        done = npu_launch(machines, "up", "--accept-new-host-keys")
        assert done.returncode == 4
        assert f"THE KEY OF {one} HAS CHANGED" in done.stderr
        assert known_hosts(machines) == before.replace(keys[one], keys[two])
    finally:
        path.write_text(before)


def ray_of(machines: Machines) -> set[int]:
    """Ray's own processes on all hosts."""
    return {process.pid for node in machines.servers for process in node.processes("gcs_server", "raylet")}


def test_a_cluster_that_is_not_up_is_down_already(machines: Machines) -> None:
    done = npu_launch(machines, "down")
    assert (done.returncode, done.stderr) == (0, "npu-launch: pair was not up\n")


def test_a_cluster_comes_up_is_found_up_refuses_to_go_while_it_is_used_and_leaves_nothing(machines: Machines) -> None:
    laptop = machines.laptop
    laptop.path("/root/code").mkdir()
    recipe = "name: job\nframework: plain\ncluster: ../pair.yaml\nranks: 4\nscript: job.sh\ngrace: 2\n"
    laptop.path("/root/code/job.yaml").write_text(recipe)
    laptop.path("/root/code/job.sh").write_text("#!/bin/sh\nexec sleep 600\n")
    laptop.path("/root/code/job.sh").chmod(0o755)
    up = npu_launch(machines, "up")
    assert up.returncode == 0, up.stderr
    assert "pair is up: 2 hosts, head node-1" in up.stderr
    tokens = {node.run("sh", "-c", "cat ~/.npu-launch/machines/*/clusters/*/token").stdout for node in machines.servers}
    ray = ray_of(machines)
    again = npu_launch(machines, "up")
    assert again.returncode == 0, again.stderr
    assert ray_of(machines) == ray
    [token] = tokens
    assert token not in up.stderr + "".join(" ".join(argv) for node in machines.servers for _, argv in node.commands())
    run = laptop.run(*NPU_LAUNCH, "run", "-d", "/root/code/job.yaml", timeout=200).stdout.strip()
    refused = npu_launch(machines, "down")
    assert refused.returncode == 2
    assert f"runs are on pair: {run}" in refused.stderr
    down = npu_launch(machines, "down", "--force")
    assert down.returncode == 0, down.stderr
    left = [line for node in machines.servers for _, line in commands(node)]
    assert [
        line for line in left if line and "sshd" not in line
    ] == []  # whose session may outlast the command a little
    for node in machines.servers:
        assert node.run("sh", "-c", "ls ~/.npu-launch/machines/*/clusters/*").stdout.find("token") == -1
    status = laptop.run(*NPU_LAUNCH, "status", run)
    assert "STOPPED" in status.stdout
