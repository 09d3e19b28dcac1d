"""Who we are to a host: which keys are offered, and what is said when none is taken."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.hosts.ssh.connections import Connections
from launcher.hosts.ssh.problems import SshError, Step
from tests.hosts.ssh.conftest import Trust, reach_of
from tests.hosts.ssh.server import Server, make_key, me, sshd


def refused(connections: Connections, server: Server, **ssh: object) -> SshError:
    with pytest.raises(SshError) as caught:
        reach_of(connections, server, **ssh).run(["true"], timeout=20)
    assert caught.value.step is Step.LOG_IN
    assert caught.value.where == "host node-a, log in"
    return caught.value


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """An agent with no key yet."""
    socket = str(tmp_path / "agent")
    started = subprocess.run(["ssh-agent", "-s", "-a", socket], check=True, capture_output=True, text=True).stdout
    pid = int(started.split("SSH_AGENT_PID=")[1].split(";")[0])
    yield socket
    os.kill(pid, signal.SIGTERM)


def add(agent: str, key: Path, passphrase: str = "") -> None:
    asker = key.parent / "askpass"
    asker.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
    asker.chmod(0o700)
    environment = {**os.environ, "SSH_AUTH_SOCK": agent, "SSH_ASKPASS": str(asker), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True, stdin=subprocess.DEVNULL)


def test_a_key_in_its_usual_place_is_found(connections: Connections, server: Server) -> None:
    assert reach_of(connections, server).run(["id", "-un"], timeout=20).stdout.decode().strip() == me()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_each_kind_are_taken(
    connections: Connections, home: Path, tmp_path: Path, trust: Trust, kind: str
) -> None:
    key = make_key(tmp_path / "mine", kind)
    with sshd(tmp_path / "sshd", key.with_suffix(".pub")) as server:
        trust(server)
        assert reach_of(connections, server, key=str(key)).run(["true"], timeout=20).code == 0


def test_a_key_that_the_server_does_not_know_is_named_with_the_remedy(
    connections: Connections, server: Server, home: Path
) -> None:
    key = make_key(home / ".ssh/other")
    error = refused(connections, server, key="~/.ssh/other")
    assert f"{me()}@127.0.0.1 port {server.port} takes none of our keys" in error.what
    assert f"{key}: refused" in error.what
    assert "agent: none runs (SSH_AUTH_SOCK is not set)" in error.what
    assert f"ssh-copy-id -i {key} -p {server.port} {me()}@127.0.0.1" in error.remedy


def test_a_user_that_the_server_does_not_know_is_named(connections: Connections, server: Server) -> None:
    assert "nobody-of-that-name@127.0.0.1" in refused(connections, server, user="nobody-of-that-name").what


def test_no_key_at_all_suggests_to_make_one(connections: Connections, server: Server, home: Path) -> None:
    (home / ".ssh/id_ed25519").unlink()
    error = refused(connections, server)
    assert f"{home}/.ssh: has none of id_ed25519, id_ecdsa, id_rsa" in error.what
    assert error.remedy.startswith("ssh-keygen -t ed25519; ssh-copy-id")


def test_a_key_that_others_may_read_is_not_used(connections: Connections, server: Server, home: Path) -> None:
    (home / ".ssh/id_ed25519").chmod(0o644)
    error = refused(connections, server)
    assert "permissions 0644 let others read it" in error.what
    assert error.remedy == f"chmod 600 {home}/.ssh/id_ed25519"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_key_with_a_passphrase_points_to_the_agent(
    connections: Connections, server: Server, home: Path, kind: str
) -> None:
    key = make_key(home / ".ssh/locked", kind, passphrase="secret-words")
    error = refused(connections, server, key=str(key))
    assert "needs a passphrase" in error.what
    assert error.remedy == f"ssh-add {key}"
    assert "secret-words" not in str(error)


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "\x00\xff"])
def test_a_file_that_is_no_key_is_said_so(connections: Connections, server: Server, home: Path, text: str) -> None:
    (home / ".ssh/broken").write_text(text)
    (home / ".ssh/broken").chmod(0o600)
    assert (
        f"{home}/.ssh/broken: is no private key that can be used"
        in refused(connections, server, key="~/.ssh/broken").what
    )


def test_a_named_key_that_is_not_there_is_said_so(connections: Connections, server: Server) -> None:
    assert "/missing: no such file or directory" in refused(connections, server, key="~/.ssh/missing").what


def test_the_agent_is_asked_for_a_key_with_a_passphrase(
    home: Path, agent: str, server: Server, key: Path, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(key.read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret-words", "-f", str(locked)], check=True, capture_output=True)
    add(agent, locked, "secret-words")
    (home / ".ssh/id_ed25519").unlink()
    connections = Connections(home, {"SSH_AUTH_SOCK": agent})
    assert reach_of(connections, server).run(["true"], timeout=20).code == 0
    connections.close()


def test_an_agent_that_is_gone_is_said_so(home: Path, server: Server, tmp_path: Path) -> None:
    (home / ".ssh/id_ed25519").unlink()
    connections = Connections(home, {"SSH_AUTH_SOCK": str(tmp_path / "gone")})
    assert f"agent: {tmp_path}/gone: No such file or directory" in refused(connections, server).what


def test_an_agent_without_a_key_is_said_so(home: Path, agent: str, server: Server) -> None:
    (home / ".ssh/id_ed25519").unlink()
    assert "agent: holds no key" in refused(Connections(home, {"SSH_AUTH_SOCK": agent}), server).what


def test_a_named_key_comes_before_an_agent_full_of_others(home: Path, agent: str, server: Server, key: Path) -> None:
    for number in range(7):  # more than MaxAuthTries
        add(agent, make_key(home / f"key{number}"))
    connections = Connections(home, {"SSH_AUTH_SOCK": agent})
    assert reach_of(connections, server, key="~/.ssh/id_ed25519").run(["true"], timeout=20).code == 0
    connections.close()


def test_too_many_keys_end_the_login_and_say_how_to_name_one(home: Path, agent: str, server: Server) -> None:
    for number in range(7):
        add(agent, make_key(home / f"key{number}"))
    error = refused(Connections(home, {"SSH_AUTH_SOCK": agent}), server)
    assert "closed the connection after 6 keys: agent key" in error.what
    assert "IdentitiesOnly yes" in error.remedy


def test_identities_only_keeps_the_agents_other_keys_back(home: Path, agent: str, server: Server) -> None:
    for number in range(7):
        add(agent, make_key(home / f"key{number}"))
    (home / ".ssh/config").write_text("IdentitiesOnly yes\n")
    connections = Connections(home, {"SSH_AUTH_SOCK": agent})
    assert reach_of(connections, server).run(["true"], timeout=20).code == 0
    connections.close()


def test_a_server_that_takes_only_passwords_is_said_so(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub"), "PubkeyAuthentication no", "PasswordAuthentication yes") as one:
        trust(one)
        assert "takes no keys, only 'password'" in refused(connections, one).what


def test_a_server_that_wants_a_second_proof_is_said_so(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    options = ("AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    with sshd(tmp_path / "s", key.with_suffix(".pub"), *options) as one:
        trust(one)
        assert "and then wants 'password' as well" in refused(connections, one).what
