"""No host is believed whose key is not on record."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.hosts.ssh.connections import Connections
from launcher.hosts.ssh.known_hosts import HostKey, Standing, records_of, remember, standing
from launcher.hosts.ssh.problems import HostKeyError, Step
from launcher.hosts.ssh.trust import NewHostKey
from launcher.hosts.ways import Ways
from launcher.specs import Ssh
from tests.hosts.ssh.conftest import host_at, reach_of
from tests.hosts.ssh.server import Server, make_key, me, sshd


def refused(connections: Connections, server: Server, **ssh: object) -> HostKeyError:
    with pytest.raises(HostKeyError) as caught:
        reach_of(connections, server, **ssh).run(["true"], timeout=20)
    assert caught.value.step is Step.HOST_KEY
    return caught.value


def test_an_unknown_key_is_refused_with_its_fingerprint_and_how_to_accept_it(
    connections: Connections, server: Server, home: Path
) -> None:
    (home / ".ssh/known_hosts").unlink()
    error = refused(connections, server)
    assert not error.changed
    assert error.fingerprint == server.fingerprint
    assert f"is unknown: ssh-ed25519 {server.fingerprint}" in str(error)
    assert f"-p {server.port} {me()}@127.0.0.1 true" in error.remedy
    assert not (home / ".ssh/known_hosts").exists()


def test_a_changed_key_is_refused_more_loudly_and_names_the_line_on_record(
    connections: Connections, server: Server, home: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    known = home / ".ssh/known_hosts"
    known.write_text(f"# comment\n[127.0.0.1]:{server.port} {other[0]} {other[1]}\n")
    error = refused(connections, server)
    assert error.changed
    assert "HAS CHANGED" in error.what
    assert f"{known}:2" in error.expected
    assert f"ssh-keygen -f {known} -R '[127.0.0.1]:{server.port}'" in error.remedy


def test_a_key_of_another_kind_than_that_on_record_counts_as_changed(
    connections: Connections, server: Server, home: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other", "ecdsa").with_suffix(".pub").read_text().split()
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{server.port} {other[0]} {other[1]}\n")
    assert refused(connections, server).changed


def test_a_server_with_several_keys_is_asked_for_the_one_on_record(
    connections: Connections, home: Path, key: Path, tmp_path: Path
) -> None:
    rsa = make_key(tmp_path / "rsa", "rsa")
    with sshd(tmp_path / "sshd", key.with_suffix(".pub"), f"HostKey {rsa}") as server:
        kind, blob, *_ = rsa.with_suffix(".pub").read_text().split()
        (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{server.port} {kind} {blob}\n")
        assert reach_of(connections, server).run(["true"], timeout=20).code == 0


def test_a_revoked_key_is_refused_although_it_is_on_record(
    connections: Connections, server: Server, home: Path
) -> None:
    with (home / ".ssh/known_hosts").open("a") as file:
        file.write(f"@revoked {server.known_host}")
    assert "IS REVOKED" in refused(connections, server).what


def test_a_hashed_record_counts(connections: Connections, server: Server, home: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(home / ".ssh/known_hosts")], check=True, capture_output=True)
    assert "|1|" in (home / ".ssh/known_hosts").read_text()
    assert reach_of(connections, server).run(["true"], timeout=20).code == 0


def test_the_spec_may_name_another_file(connections: Connections, server: Server, home: Path, tmp_path: Path) -> None:
    (home / ".ssh/known_hosts").rename(tmp_path / "cluster_hosts")
    refused(connections, server)
    reach = reach_of(connections, server, known_hosts=str(tmp_path / "cluster_hosts"))
    assert reach.run(["true"], timeout=20).code == 0


def test_a_key_on_record_for_the_host_is_known_at_another_port_of_it(
    connections: Connections, server: Server, home: Path
) -> None:
    """As for ssh, which would put nothing on record then."""
    known = home / ".ssh/known_hosts"
    known.write_text(server.known_host.replace(f"[127.0.0.1]:{server.port}", "127.0.0.1"))
    assert reach_of(connections, server).run(["true"], timeout=20).code == 0


def test_another_key_at_another_port_of_a_known_host_is_unknown(
    connections: Connections, server: Server, home: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    (home / ".ssh/known_hosts").write_text(f"127.0.0.1 {other[0]} {other[1]}\n")
    assert not refused(connections, server).changed


def test_a_key_that_is_revoked_for_the_host_is_refused_at_every_port(
    connections: Connections, server: Server, home: Path
) -> None:
    revoked = server.known_host.replace(f"[127.0.0.1]:{server.port}", "@revoked 127.0.0.1")
    (home / ".ssh/known_hosts").write_text(revoked)
    assert "IS REVOKED" in refused(connections, server).what


def test_a_record_that_cannot_be_read_is_said(connections: Connections, server: Server, home: Path) -> None:
    (home / ".ssh/known_hosts").unlink()
    (home / ".ssh/known_hosts").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        reach_of(connections, server).run(["true"], timeout=20)


@pytest.mark.parametrize("setting", ["accept-new", "no"])
def test_a_user_who_accepts_new_hosts_has_them_put_on_record(
    connections: Connections, server: Server, home: Path, setting: str
) -> None:
    (home / ".ssh/known_hosts").unlink()
    (home / ".ssh/config").write_text(f"StrictHostKeyChecking {setting}\n")
    assert reach_of(connections, server).run(["true"], timeout=20).code == 0
    assert (home / ".ssh/known_hosts").read_text() == server.known_host


def test_a_changed_key_is_refused_whatever_the_user_accepts(
    connections: Connections, server: Server, home: Path, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text().split()
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{server.port} {other[0]} {other[1]}\n")
    (home / ".ssh/config").write_text("StrictHostKeyChecking no\n")
    assert refused(connections, server).changed


def test_new_keys_are_shown_before_they_are_put_on_record(connections: Connections, server: Server, home: Path) -> None:
    known = home / ".ssh/known_hosts"
    known.unlink()
    seen: list[tuple[NewHostKey, bool]] = []

    def agree(new: NewHostKey) -> bool:
        seen.append((new, known.exists()))
        return True

    where = host_at("127.0.0.1"), Ssh(port=server.port)
    (new,) = connections.accept_host_keys(*where, agree, 20)
    assert seen == [(new, False)]
    assert (new.host, new.fingerprint) == ("node-a", server.fingerprint)
    assert known.read_text() == server.known_host
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    assert connections.accept_host_keys(*where, agree, 20) == ()


def test_many_hosts_are_asked_for_their_keys_and_a_person_for_one_at_a_time(home: Path, tmp_path: Path) -> None:
    (home / ".ssh/known_hosts").unlink()
    at_once: list[str] = []

    def agree(new: NewHostKey) -> bool:
        at_once.append(new.host)
        assert len(at_once) == 1
        at_once.remove(new.host)
        return new.host != "node-2"

    hosts = [host_at(f"127.0.0.{number}", f"node-{number}") for number in range(1, 4)]
    with sshd(tmp_path / "s", None, address="0.0.0.0") as server, Ways(Ssh(port=server.port)) as ways:
        found = ways.accept_host_keys(hosts, agree)
    assert isinstance(found["node-2"], HostKeyError)
    assert [key.known_as for key in found["node-1"]] == [f"[127.0.0.1]:{server.port}"]  # type: ignore[union-attr]
    assert len((home / ".ssh/known_hosts").read_text().splitlines()) == 2


def test_a_key_that_is_not_agreed_to_is_not_put_on_record(connections: Connections, server: Server, home: Path) -> None:
    (home / ".ssh/known_hosts").unlink()
    with pytest.raises(HostKeyError):
        connections.accept_host_keys(host_at("127.0.0.1"), Ssh(port=server.port), lambda _: False, 20)
    assert not (home / ".ssh/known_hosts").exists()


KEY = HostKey("ssh-ed25519", b"one")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("node-a ssh-ed25519 b25l", Standing.KNOWN),
        ("node-a,10.0.0.1 ssh-ed25519 b25l comment", Standing.KNOWN),
        ("Node-*\tssh-ed25519\tb25l", Standing.KNOWN),
        ("!node-a,node-* ssh-ed25519 b25l", Standing.UNKNOWN),
        ("node-? ssh-ed25519 b25l", Standing.KNOWN),
        ("node-b ssh-ed25519 b25l", Standing.UNKNOWN),
        ("node-a ssh-ed25519 dHdv", Standing.CHANGED),
        ("node-a ssh-ed25519 dHdv\nnode-a ssh-ed25519 b25l", Standing.KNOWN),
        ("@revoked * ssh-ed25519 b25l\nnode-a ssh-ed25519 b25l", Standing.REVOKED),
        ("@cert-authority * ssh-ed25519 b25l", Standing.UNKNOWN),
        ("node-a ssh-ed25519 ***", Standing.UNKNOWN),
        ("|1|nonsense ssh-ed25519 b25l", Standing.UNKNOWN),
        ("|1| ssh-ed25519 b25l", Standing.UNKNOWN),
        ("node-a ssh-ed25519", Standing.UNKNOWN),
        ("\x00\xff\x1b[31m", Standing.UNKNOWN),
        ("", Standing.UNKNOWN),
    ],
)
def test_what_a_line_of_known_hosts_says_of_a_key(tmp_path: Path, line: str, found: Standing) -> None:
    (tmp_path / "known").write_text(line)
    assert standing(KEY, records_of("node-a", [tmp_path / "known", tmp_path / "missing"])) is found


def test_a_port_of_its_own_is_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("[node-a]:2222 ssh-ed25519 b25l\n")
    assert records_of("[node-a]:2222", [tmp_path / "known"])
    assert not records_of("node-a", [tmp_path / "known"])
    assert not records_of("a]:2222", [tmp_path / "known"])


def test_a_file_that_does_not_end_its_line_is_not_spoilt(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("a ssh-ed25519 dHdv")
    remember(tmp_path / "known", [("node-a", KEY)])
    assert (tmp_path / "known").read_text() == "a ssh-ed25519 dHdv\nnode-a ssh-ed25519 b25l\n"


def test_a_new_file_and_its_folder_are_the_users_alone(tmp_path: Path) -> None:
    remember(tmp_path / ".ssh/known_hosts", [("node-a", KEY)])
    assert stat.S_IMODE((tmp_path / ".ssh").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".ssh/known_hosts").stat().st_mode) == 0o600
