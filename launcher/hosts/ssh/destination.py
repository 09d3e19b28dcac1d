"""Where a host is and how to log in to it: what the cluster spec says, and ~/.ssh/config where it says nothing."""

from __future__ import annotations

import getpass
import re
import shlex
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.hosts.ssh.config_file import parsed, ssh_config_lines
from launcher.specs import Host, Ssh

if TYPE_CHECKING:
    import paramiko

SSH_PORT = 22
CONNECT_TIMEOUT = 10.0
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")  # the kinds that paramiko can use
_FAMILIES = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
_MOST_JUMPS = 8
_OF_THE_SHELL = re.compile(r"^-|[\s\x00-\x1f\x7f'`\"$\\;&<>|(){},]")  # in names, as ssh has it: %h is in commands


@dataclass(frozen=True)
class Destination:
    """One ssh server and our identity there. Two that are equal share one connection.

    `host` is what messages call it; `known_as` its name in known_hosts; `keys` the key files to offer, of which `named`
    tells whether somebody named them; `agent` the agent's socket. The first of `known_hosts` is the one written to.
    `accept_new` is `StrictHostKeyChecking accept-new` (or no): an unknown host is entered in known_hosts unasked.
    `jump` is the last host on the way there, which has its own jump before it.
    """

    host: str
    address: str
    port: int
    user: str
    known_as: str
    keys: tuple[Path, ...]
    named: bool
    identities_only: bool
    agent: str | None
    known_hosts: tuple[Path, ...]
    accept_new: bool = False
    jump: Destination | None = None
    proxy_command: str | None = None
    family: socket.AddressFamily = socket.AF_UNSPEC
    timeout: float = CONNECT_TIMEOUT  # seconds, for each of: to connect, to greet, to log in

    def __str__(self) -> str:
        return f"{self.user}@{self.address} port {self.port}"

    def ssh_command(self, *argv: str) -> str:
        """What a person types to run something there by the same way."""
        command = ["ssh"]
        if self.known_hosts[0] != Path.home() / ".ssh/known_hosts":
            command += ["-o", f"UserKnownHostsFile={self.known_hosts[0]}"]
        if self.known_as not in (self.address.lower(), f"[{self.address.lower()}]:{self.port}"):
            command += ["-o", f"HostKeyAlias={self.known_as}"]
        if self.port != SSH_PORT:
            command += ["-p", str(self.port)]
        hops: list[str] = []
        hop = self.jump
        while hop is not None:
            hops.insert(0, f"{hop.user}@{f'[{hop.address}]' if ':' in hop.address else hop.address}:{hop.port}")
            hop = hop.jump
        if hops:
            command += ["-J", ",".join(hops)]
        return shlex.join([*command, f"{self.user}@{self.address}", *argv])


class AddressBook:
    """Tells where hosts are, from one ssh configuration of the user whose `home` and environment these are."""

    def __init__(
        self, home: Path, environment: Mapping[str, str], config: str | None = None, system: Path = Path("/etc/ssh")
    ) -> None:
        """`config` is what `ssh -F` takes. Raises UsageError for a file that cannot be understood."""
        self._home = home
        self._system = system
        self._agent = environment.get("SSH_AUTH_SOCK") or None
        self._lines = ssh_config_lines(home, system, config)
        self._file = config or str(home / ".ssh/config")
        self._configs: dict[tuple[str | None, int | None], paramiko.SSHConfig] = {}

    def destination(self, host: Host, ssh: Ssh | None) -> Destination:
        """Where a host is; what the spec says wins.

        The configuration is asked for the host's address, as `ssh ADDRESS` would; but for its name where that has a
        HostName there, because the address in a spec is the one that hosts have for each other.
        Raises UsageError for settings that cannot be understood.
        """
        ssh = ssh or Ssh()
        named = self._options(host.name, ssh)
        alias = host.name if named.get("hostname", host.name) != host.name else host.address
        return self._destination(host.name, alias, ssh, ())

    def _destination(self, label: str, alias: str, ssh: Ssh, after: tuple[str, ...]) -> Destination:
        options = self._options(alias, ssh)
        address = _text(options, "hostname") or alias
        port = self._number(options, "port", SSH_PORT)
        known_as = _text(options, "hostkeyalias") or (address if port == SSH_PORT else f"[{address}]:{port}")
        files = (ssh.key,) if ssh.key else tuple(options.get("identityfile", ()))
        jump_text = ssh.jump or _text(options, "proxyjump")
        command = (None if ssh.jump else _text(options, "proxycommand")) or None
        agent: str | None = _text(options, "identityagent")
        if agent and agent not in ("none", "SSH_AUTH_SOCK"):
            agent = str(self._path(agent))
        else:
            agent = None if agent == "none" else self._agent
        family = (_text(options, "addressfamily") or "any").lower()
        if family not in _FAMILIES:
            raise self._refuse(f"AddressFamily {family}", "any, inet or inet6")
        known_hosts = [ssh.known_hosts] if ssh.known_hosts else _files(options, "userknownhostsfile")
        return Destination(
            host=label,
            address=address,
            port=port,
            user=_text(options, "user") or _own_name(),
            known_as=known_as.lower(),
            keys=tuple(map(self._path, files or (f"~/.ssh/{name}" for name in _DEFAULT_KEYS))),
            named=bool(files),
            identities_only=_text(options, "identitiesonly").lower() == "yes",
            agent=agent,
            known_hosts=(
                *map(self._path, known_hosts or ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]),
                *map(self._path, _files(options, "globalknownhostsfile") or [str(self._system / "ssh_known_hosts")]),
            ),
            accept_new=_text(options, "stricthostkeychecking").lower() in ("accept-new", "no", "off"),
            jump=self._jump(jump_text, (address, port), ssh, after),
            proxy_command=command,
            family=_FAMILIES[family],
            timeout=float(self._number(options, "connecttimeout", 0) or CONNECT_TIMEOUT),
        )

    def _jump(self, text: str, target: tuple[str, int], ssh: Ssh, after: tuple[str, ...]) -> Destination | None:
        """The jump hosts `[user@]host[:port],...`: through the first to the second, and so on.

        The spec's key and known_hosts serve them too; user and port do not, which belong to the host itself. Only the
        first may have a ProxyJump of its own; a host that is told to jump over itself is reached directly (a bastion
        under `Host *`).
        """
        if not text or text.lower() == "none":
            return None
        if len(after) == _MOST_JUMPS:
            raise self._refuse(f"jump hosts that lead over each other: {' > '.join(reversed(after))}", "an end")
        reached: Destination | None = None
        for number, hop in enumerate(text.split(",")):
            user, name, port = _split_hop(hop.strip())
            if not name:
                raise self._refuse(f"jump host {hop!r}", "[user@]host[:port][,...]")
            own = Ssh(user=user, port=port, key=ssh.key, known_hosts=ssh.known_hosts)
            if number == 0:
                if self._is_at(name, own, target):
                    return None
                reached = self._destination(name, name, own, (*after, name))
            else:
                reached = replace(self._destination(name, name, own, (*after, name)), jump=reached)
        return reached

    def _is_at(self, name: str, ssh: Ssh, target: tuple[str, int]) -> bool:
        options = self._options(name, ssh)
        return (_text(options, "hostname") or name, self._number(options, "port", SSH_PORT)) == target

    def _options(self, alias: str, ssh: Ssh) -> paramiko.SSHConfigDict:
        """What the configuration says of a host; the spec's user and port come first, also for its `%r` and `%p`."""
        for name in (alias, ssh.user or ""):
            if _OF_THE_SHELL.search(name):
                raise self._refuse(f"the name {name!r}", "none of the characters that a shell takes for its own")
        key = (ssh.user, ssh.port)
        if key not in self._configs:
            first = [f"{word} {value}" for word, value in zip(("User", "Port"), key, strict=True) if value is not None]
            self._configs[key] = parsed([*first, *self._lines], self._file)
        try:
            return self._configs[key].lookup(alias)
        except subprocess.TimeoutExpired as error:
            raise self._refuse(f"Match exec, which took more than {error.timeout:g} s", "an answer") from None
        except (KeyError, OSError, ValueError) as error:  # a user without a name; a number that is none
            raise self._refuse(f"{type(error).__name__} {error}, when looking up {alias}", "ssh_config(5)") from None

    def _number(self, options: Mapping[str, object], key: str, default: int) -> int:
        text = _text(options, key)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
            raise self._refuse(f"{key} {text}", "a number from 1 to 65535")
        return int(text)

    def _path(self, text: str) -> Path:
        """A path as ssh takes it; `~` and `%d` are the user's home."""
        text = text.replace("%d", str(self._home))
        return self._home / text[2:] if text.startswith("~/") else Path(text)

    def _refuse(self, what: str, expected: str) -> UsageError:
        return UsageError(
            f"not understood: {what}",
            where=self._file,
            expected=expected,
            remedy="mend it there, or say it in the cluster spec (ssh: {user, port, key, jump}), which wins",
        )


def _text(options: Mapping[str, object], key: str) -> str:
    value = options.get(key)
    return value if isinstance(value, str) else ""


def _files(options: Mapping[str, object], key: str) -> list[str]:
    """File names of one option; `none` is no file."""
    value = _text(options, key)
    return ["/dev/null"] if value.lower() == "none" else value.split()


def _split_hop(hop: str) -> tuple[str | None, str, int | None]:
    """User, host and port of `[ssh://][user@]host[:port]`; an IPv6 address with a port has brackets."""
    user, at, rest = hop.removeprefix("ssh://").rpartition("@")
    name, colon, port = rest.rpartition(":")
    if rest.endswith("]") or not port.isdigit() or (":" in name and not name.startswith("[")):
        name, colon, port = rest, "", ""
    return (user if at else None), name.strip("[]"), (int(port) if colon else None)


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError(
            "this user has no name, so there is none to log in with", remedy="set ssh: {user: NAME} in the cluster spec"
        ) from None
