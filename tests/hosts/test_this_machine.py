"""A run starts here only when here is where the cluster says."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import PreflightError, SpecError
from launcher.hosts import check_hosts, resolve_cluster
from launcher.hosts.this_machine import is_this_machine
from launcher.specs import Cluster, Device, Framework, Host, Recipe


def recipe(folder: Path, **fields: object) -> Recipe:
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    values = {"name": "r", "framework": Framework.PLAIN, "ranks": 2, "script": str(folder / "run.sh"), **fields}
    return Recipe(**values)  # type: ignore[arg-type]


def cluster(*addresses: str, soc: str = "CPU", devices: tuple[Device, ...] | int = 2) -> Cluster:
    hosts = tuple(Host(name=f"h{n}", address=address, devices=devices) for n, address in enumerate(addresses))
    return Cluster(name="c", soc=soc, hosts=hosts)


def test_a_machine_without_npus_is_a_cpu_cluster_with_room_for_every_rank(tmp_path: Path) -> None:
    found = resolve_cluster(recipe(tmp_path, ranks=5), None)
    assert found.is_cpu
    assert found.device_count == 5


def test_a_cluster_that_cannot_be_read_never_means_this_machine(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        resolve_cluster(recipe(tmp_path), tmp_path / "missing.yaml")


def test_this_machine_is_known_by_its_addresses() -> None:
    assert is_this_machine("127.0.0.1")
    assert is_this_machine("localhost")
    assert not is_this_machine("192.0.2.77")
    assert not is_this_machine("no-such-host.invalid")


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"gone\.sh"):
        check_hosts(recipe(tmp_path, script=str(tmp_path / "gone.sh")), cluster("127.0.0.1"))


def test_missing_device_nodes_are_named(tmp_path: Path) -> None:
    npus = cluster("127.0.0.1", soc="Ascend910B3", devices=(Device(id=6), Device(id=7)))
    with pytest.raises(PreflightError, match=r"h0 devices 6-7 \(ranks 0-1\): the device has no node in /dev"):
        check_hosts(recipe(tmp_path), npus)


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"#!/bin/sh\n", 0o644, "chmod +x"),
        (b"echo hello\n", 0o755, "says no interpreter"),
        (b"", 0o755, "says no interpreter"),
        (b"#!\n", 0o755, "wants the interpreter"),
        (b"#!/bin/sh\r\necho\r\n", 0o755, "Windows line ends"),
        (b"#!/no/such/shell\n", 0o755, "/no/such/shell"),
    ],
)
def test_a_script_that_no_kernel_would_execute_is_refused(tmp_path: Path, content: bytes, mode: int, says: str) -> None:
    script = tmp_path / "bad.sh"
    script.write_bytes(content)
    script.chmod(mode)
    with pytest.raises(SpecError) as raised:
        check_hosts(recipe(tmp_path, script=str(script)), cluster("127.0.0.1"))
    assert says in str(raised.value)


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    wanted = recipe(tmp_path, script=str(tmp_path / "train.py"), python="no-such-python")
    with pytest.raises(SpecError, match="no-such-python"):
        check_hosts(wanted, cluster("127.0.0.1"))
