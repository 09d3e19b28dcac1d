"""This machine needs no ssh, and any other does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.hosts.reach import ThisMachine
from launcher.hosts.ways import Ways, open_reach
from launcher.specs import Cluster, Host, Ssh


def host(address: str, ssh: Ssh | None = None) -> Host:
    return Host(name="node-a", address=address, devices=1, ssh=ssh)


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def test_an_address_of_this_machine_needs_no_ssh() -> None:
    with Ways() as reach:
        assert isinstance(reach(host("127.0.0.1")), ThisMachine)
        assert isinstance(reach(host("localhost", Ssh(user="train"))), ThisMachine)


def test_an_address_elsewhere_needs_ssh() -> None:
    with open_reach(Cluster(name="c", soc="CPU", hosts=(host("192.0.2.1"),))) as reach:
        assert not isinstance(reach(host("192.0.2.1")), ThisMachine)


@pytest.mark.parametrize("ssh", [Ssh(port=2222), Ssh(jump="bastion")])
def test_a_port_or_a_jump_host_in_the_spec_means_ssh_even_to_this_address(ssh: Ssh) -> None:
    with Ways() as reach:
        assert not isinstance(reach(host("127.0.0.1", ssh)), ThisMachine)
    with Ways(ssh) as reach:
        assert not isinstance(reach(host("127.0.0.1")), ThisMachine)


def test_to_ask_this_machine_imports_no_ssh_library() -> None:
    program = (
        "import sys\n"
        "from launcher.hosts.ways import Ways\n"
        "from launcher.specs import Host\n"
        "answer = Ways()(Host(name='a', address='127.0.0.1', devices=1)).run(['true'], timeout=20)\n"
        "sys.exit(answer.code or 'paramiko' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_hosts_whose_keys_cannot_be_had_are_errors_of_their_own(tmp_path: Path) -> None:
    with Ways(Ssh(config="none")) as ways:
        nowhere = Host(name="b", address="no-such-host.invalid", devices=1)
        found = ways.accept_host_keys([host("127.0.0.1"), nowhere], lambda _: True)
    assert found["node-a"] == ()
    assert "is not resolved" in str(found["b"])
