"""A home with a key and a known_hosts of its own, and a server that takes the key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.hosts.ssh.connections import Connections, SshReach
from launcher.specs import Host, Ssh
from tests.hosts.ssh.server import Server, make_key, sshd


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("user") / "id_ed25519")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Iterator[Server]:
    """One for all tests that only log in and run something."""
    with sshd(tmp_path_factory.mktemp("sshd"), key.with_suffix(".pub"), "MaxStartups 100") as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, key: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has the key, no agent, and knows the server."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh/id_ed25519").write_bytes(key.read_bytes())
    (home / ".ssh/id_ed25519").chmod(0o600)
    (home / ".ssh/known_hosts").write_text(server.known_host)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def connections(home: Path) -> Iterator[Connections]:
    connections = Connections(home, {})
    yield connections
    connections.close()


@pytest.fixture
def reach(connections: Connections, server: Server) -> Iterator[SshReach]:
    reach = reach_of(connections, server)
    yield reach
    reach.close()


def reach_of(connections: Connections, server: Server, name: str = "node-a", **ssh: object) -> SshReach:
    """The way to a server, as a spec with `ssh` would have it."""
    return connections.reach(host_at(server.address, name), Ssh(**{"port": server.port, **ssh}))


def host_at(address: str, name: str = "node-a") -> Host:
    return Host(name=name, address=address, devices=1)


Trust = Callable[[Server], None]


@pytest.fixture
def trust(home: Path) -> Trust:
    """Put a server's key on record."""

    def add(server: Server) -> None:
        with (home / ".ssh/known_hosts").open("a") as file:
            file.write(server.known_host)

    return add
