"""What the cluster spec says of the way to a host, and ~/.ssh/config where it says nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.hosts.ssh.connections import Connections
from launcher.hosts.ssh.destination import AddressBook, Destination
from launcher.specs import Ssh
from tests.hosts.ssh.conftest import host_at
from tests.hosts.ssh.server import Server, me


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "wang")
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def where(home: Path, config: str, address: str = "node-a", name: str = "node-a", **ssh: object) -> Destination:
    (home / ".ssh/config").write_text(config)
    book = AddressBook(home, {"SSH_AUTH_SOCK": "/agent"}, system=home / "etc")
    return book.destination(host_at(address, name), Ssh(**ssh) if ssh else None)


def test_without_a_word_it_is_what_ssh_would_do(home: Path) -> None:
    to = where(home, "")
    assert (to.user, to.address, to.port, to.known_as, to.agent) == ("wang", "node-a", 22, "node-a", "/agent")
    assert to.keys == tuple(home / ".ssh" / name for name in ("id_ed25519", "id_ecdsa", "id_rsa"))
    assert to.known_hosts[0] == home / ".ssh/known_hosts"
    assert (to.named, to.identities_only, to.accept_new, to.jump, to.proxy_command) == (False, False, False, None, None)


def test_the_configuration_fills_what_the_spec_leaves_open(home: Path) -> None:
    to = where(
        home,
        """
        Host node-*
          HostName %h.cluster.example
          User train
          Port 2222
          IdentityFile ~/.ssh/cluster
          IdentitiesOnly yes
          IdentityAgent ~/agent
          UserKnownHostsFile ~/.ssh/cluster_hosts
          ConnectTimeout 3
          AddressFamily inet6
        """,
    )
    assert (to.user, to.address, to.port) == ("train", "node-a.cluster.example", 2222)
    assert to.known_as == "[node-a.cluster.example]:2222"
    assert (to.keys, to.named, to.identities_only) == ((home / ".ssh/cluster",), True, True)
    assert (to.agent, to.known_hosts[0]) == (str(home / "agent"), home / ".ssh/cluster_hosts")
    assert (to.timeout, to.family) == (3.0, socket.AF_INET6)


def test_the_spec_wins_over_the_configuration(home: Path) -> None:
    config = "Host *\n  User a\n  Port 1\n  IdentityFile ~/a\n  ProxyJump b\n  UserKnownHostsFile ~/k\n"
    to = where(home, config, user="u", port=2, key="~/mine", jump="none", known_hosts="/k")
    assert (to.user, to.port, to.keys, to.jump, to.known_hosts[0]) == ("u", 2, (home / "mine",), None, Path("/k"))


def test_a_command_on_the_way_gets_the_user_and_port_of_the_spec(home: Path) -> None:
    config = "Port 1\nUser a\nProxyCommand relay %r %h %p\n"
    assert where(home, config, user="u", port=2).proxy_command == "relay u node-a 2"
    assert where(home, config).proxy_command == "relay a node-a 1"


@pytest.mark.parametrize("name", ["$(touch x)", "`touch x`", "a;touch x", "a|b", "-oProxyCommand=x", "a\nUser b"])
def test_a_name_that_would_be_a_command_to_the_shell_of_a_proxy_command_is_refused(home: Path, name: str) -> None:
    for ssh in ({"jump": name}, {"user": name}):
        with pytest.raises(UsageError, match="not understood: the name"):
            where(home, 'Match exec "test %h"\n  ProxyCommand relay %h\n', **ssh)


@pytest.mark.parametrize("file", ["config", "more"])
def test_a_configuration_that_others_may_write_is_refused_as_ssh_does(home: Path, file: str) -> None:
    (home / ".ssh/more").write_text("")
    (home / ".ssh/config").write_text("")
    (home / ".ssh" / file).chmod(0o666)
    with pytest.raises(UsageError, match="others may write") as caught:
        where(home, "Include more\n")
    assert caught.value.remedy == f"chmod go-w {home}/.ssh/{file}"


def test_the_first_value_holds(home: Path) -> None:
    assert where(home, "Host node-a\n  User first\nHost *\n  User second\n").user == "first"


def test_a_host_key_alias_is_the_name_on_record(home: Path) -> None:
    assert where(home, "HostKeyAlias Gate\nPort 2222\n").known_as == "gate"


def test_a_name_that_the_configuration_knows_goes_before_the_address(home: Path) -> None:
    """The address in a spec is the one that hosts have for each other; from a laptop the way may be another."""
    config = "Host node-a\n  HostName gate.example\n  Port 2201\nHost 10.*\n  Port 9\n"
    assert where(home, config, address="10.0.0.1").address == "gate.example"
    assert where(home, config, address="10.0.0.2", name="node-b").port == 9


@pytest.mark.parametrize(
    ("jump", "hops"),
    [
        ("bastion", [("wang", "bastion", 22)]),
        ("li@bastion:2200", [("li", "bastion", 2200)]),
        ("ssh://li@[fd00::1]:2200", [("li", "fd00::1", 2200)]),
        ("fd00::1", [("wang", "fd00::1", 22)]),
        ("a, b@c", [("wang", "a", 22), ("b", "c", 22)]),
    ],
)
def test_jump_hosts_are_written_as_for_ssh(home: Path, jump: str, hops: list[tuple[str, str, int]]) -> None:
    for to in (where(home, "", jump=jump), where(home, f"Host node-a\n  ProxyJump {jump}\n")):
        way = []
        hop = to.jump
        while hop is not None:
            way.insert(0, (hop.user, hop.address, hop.port))
            hop = hop.jump
        assert way == hops


def test_a_jump_host_has_a_configuration_of_its_own(home: Path) -> None:
    to = where(home, "Host node-a\n  ProxyJump gate\nHost gate\n  HostName 192.0.2.1\n  User li\n  ProxyJump outer\n")
    assert to.jump is not None
    assert (to.jump.address, to.jump.user) == ("192.0.2.1", "li")
    assert to.jump.jump is not None
    assert to.jump.jump.address == "outer"


def test_a_jump_host_for_all_is_not_its_own(home: Path) -> None:
    config = "Host *\n  ProxyJump bastion\n"
    assert where(home, config, address="bastion", name="bastion").jump is None
    jump = where(home, config).jump
    assert jump is not None
    assert jump.jump is None


def test_jump_hosts_that_lead_over_each_other_are_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="lead over each other"):
        where(home, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", address="a", name="a")


def test_a_command_may_decide(home: Path) -> None:
    config = 'Match originalhost node-a exec "test %h = node-a"\n  User yes\nMatch exec false\n  Port 3\n'
    to = where(home, config)
    assert (to.user, to.port) == ("yes", 22)


def test_no_name_service_is_asked_before_a_host_is_called(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> str:
        raise AssertionError("a name service was asked")

    monkeypatch.setattr(socket, "getfqdn", asked)
    monkeypatch.setattr(socket, "getaddrinfo", asked)
    config = 'IdentityFile ~/.ssh/%r-%h\nMatch exec "true"\n  User train\nHost *\n  ProxyJump gate\n'
    assert where(home, config).keys == (home / ".ssh/train-node-a",)


def test_included_files_are_read_where_they_are_included(home: Path) -> None:
    (home / ".ssh/config.d").mkdir()
    (home / ".ssh/config.d/10-b").write_text("Host node-b\n  User b\n")
    (home / ".ssh/config.d/20-a").write_text("Host node-a\n  User a\n")
    (home / "more").write_text("Port 2222\n")
    config = "Include config.d/* missing\nUser c\nHost node-a\n  Include ~/more\nHost node-b\n  Port 3\n"
    a, b = where(home, config), where(home, config, address="node-b", name="node-b")
    c = where(home, config, address="node-c", name="node-c")
    assert [(to.user, to.port) for to in (a, b, c)] == [("a", 2222), ("b", 3), ("c", 22)]


def test_hosts_that_are_included_under_a_host_are_refused_with_file_and_line(home: Path) -> None:
    (home / "more").write_text("\nHost node-b\n  User b\n")
    with pytest.raises(UsageError, match="is not understood") as caught:
        where(home, "Host node-a\n  Include ~/more\n")
    assert caught.value.where == f"{home}/more:2"


def test_files_that_include_each_other_are_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="include each other"):
        where(home, "Include config\n")


def test_the_systems_configuration_comes_after_the_users(home: Path) -> None:
    (home / "etc").mkdir()
    (home / "etc/ssh_config").write_text("User system\nPort 2222\nInclude part\n")
    (home / "etc/part").write_text("IdentitiesOnly yes\n")
    to = where(home, "Host node-a\n  User mine\n")
    assert (to.user, to.port, to.identities_only) == ("mine", 2222, True)


def test_the_spec_may_name_another_configuration_or_none(home: Path) -> None:
    (home / ".ssh/config").write_text("User mine\n")
    (home / "other").write_text("User other\n")
    assert AddressBook(home, {}, config="~/other").destination(host_at("a"), None).user == "other"
    assert AddressBook(home, {}, config="none").destination(host_at("a"), None).user == "wang"
    with pytest.raises(UsageError, match="No such file"):
        AddressBook(home, {}, config="~/missing")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("nonsense", "nonsense"),
        ("Port many", "port many"),
        ("Port 70000", "port 70000"),
        ("AddressFamily ipx", "AddressFamily ipx"),
        ("Match all user a", "all"),
        ("Match user", "user"),
        ('Host "a', "a"),
        ("ProxyJump a,,b", "jump host"),
        ("ProxyJump @", "jump host"),
        ('Include "a', "quot"),
        ("CanonicalizeHostname yes\nCanonicalizeMaxDots x\n", "x"),
        ("\x00\x1b[31m", "Unparsable"),
    ],
)
def test_what_is_not_understood_is_an_error_that_names_the_file(home: Path, config: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        where(home, config)
    assert caught.value.where.startswith(f"{home}/.ssh/config")
    assert caught.value.remedy


def test_an_alias_leads_to_a_server(tmp_path: Path, server: Server, key: Path, home: Path) -> None:
    (home / ".ssh/id_ed25519").write_bytes(key.read_bytes())
    (home / ".ssh/id_ed25519").chmod(0o600)
    (home / ".ssh/known_hosts").write_text(server.known_host)
    (home / ".ssh/config").write_text(f"Host big\n  HostName 127.0.0.1\n  Port {server.port}\n  User {me()}\n")
    connections = Connections(home, {})
    assert connections.reach(host_at("big"), None).run(["echo", "big"], timeout=20).stdout == b"big\n"
    connections.close()
