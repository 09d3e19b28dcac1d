"""Files to and from a host: whole or not at all, with the mode that was asked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError
from launcher.hosts.ssh.connections import Connections, SshReach
from launcher.hosts.ssh.problems import SshError, Step
from tests.hosts.ssh.conftest import Trust, reach_of
from tests.hosts.ssh.server import Server, sshd


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_arrives_whole_with_its_mode_and_its_folders(reach: SshReach, tmp_path: Path) -> None:
    there = tmp_path / "a/b c/token"
    reach.put(b"\x00secret\xff", str(there), timeout=20)
    assert there.read_bytes() == b"\x00secret\xff"
    assert (mode(there), mode(there.parent), mode(there.parent.parent)) == (0o600, 0o700, 0o700)
    reach.put(b"#!/bin/sh\n", str(there), mode=0o755, timeout=20)
    assert (there.read_bytes(), mode(there)) == (b"#!/bin/sh\n", 0o755)
    assert list(there.parent.iterdir()) == [there]


def test_a_large_file_goes_there_and_back(reach: SshReach, tmp_path: Path) -> None:
    source = tmp_path / "wheel"
    source.write_bytes(os.urandom(5_000_001))
    reach.put(source, str(tmp_path / "there"), timeout=20)
    reach.get(str(tmp_path / "there"), tmp_path / "new/back", timeout=20)
    assert (tmp_path / "new/back").read_bytes() == source.read_bytes()
    assert mode(tmp_path / "new/back") == 0o600


def test_a_relative_path_begins_at_home(reach: SshReach, server: Server) -> None:
    reach.put(b"x", "relative/file", timeout=20)
    assert (server.home / "relative/file").read_bytes() == b"x"


def test_a_file_that_is_not_there_leaves_nothing_here(reach: SshReach, tmp_path: Path) -> None:
    with pytest.raises(SshError, match="No such file") as caught:
        reach.get("/no/such/file", tmp_path / "here", timeout=20)
    assert caught.value.step is Step.TRANSFER
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]


def test_a_place_that_is_no_folder_is_said(reach: SshReach, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SshError, match="file/below"):
        reach.put(b"x", str(tmp_path / "file/below"), timeout=20)


def test_a_file_of_ours_that_is_missing_is_no_fault_of_the_host(reach: SshReach, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="No such file") as caught:
        reach.put(tmp_path / "missing", str(tmp_path / "there"), timeout=20)
    assert not isinstance(caught.value, SshError)


def test_a_server_without_sftp_is_said_so(connections: Connections, key: Path, tmp_path: Path, trust: Trust) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub"), "Subsystem sftp /bin/false") as server:
        trust(server)
        with pytest.raises(SshError, match="Subsystem sftp"):
            reach_of(connections, server).put(b"x", str(tmp_path / "there"), timeout=5)
