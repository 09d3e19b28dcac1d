"""Which way leads to a host: none when it is this machine, ssh to any other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Final

from launcher.errors import NpuLaunchError
from launcher.hosts.reach import Reach, ThisMachine
from launcher.hosts.this_machine import is_this_machine
from launcher.specs import Cluster, Host, Ssh

if TYPE_CHECKING:
    from launcher.hosts.session import Session, Window
    from launcher.hosts.ssh.connections import Connections
    from launcher.hosts.ssh.trust import NewHostKey

HOSTS_AT_ONCE: Final = 32


def open_reach(cluster: Cluster) -> Ways:
    """The ways to the hosts of a cluster: `with open_reach(cluster) as reach: reach(host).run(argv, timeout=5)`."""
    return Ways(cluster.ssh)


class Ways:
    """Gives the way to a host, for any thread; no connection is made before it is used, and `close` ends all of them.

    `ssh` is how to log in where the host itself does not say (`Host.ssh`); without both, ~/.ssh/config alone says.
    """

    def __init__(self, ssh: Ssh | None = None) -> None:
        self._ssh = ssh
        self._lock = threading.Lock()
        self._connections: Connections | None = None

    def __call__(self, host: Host) -> Reach:
        """The way to a host; raises UsageError for a ~/.ssh/config that cannot be understood.

        An address of this machine needs no ssh, unless the spec gives a port or a jump host: then there is another
        machine, or one simulated, behind it.
        """
        if self.is_here(host):
            return ThisMachine()
        return self._ssh_connections().reach(host, self._login(host))

    def is_here(self, host: Host) -> bool:
        """Whether a host is this machine."""
        ssh = self._login(host)
        behind = ssh is not None and (ssh.port is not None or ssh.jump not in (None, "none"))
        return not behind and is_this_machine(host.address)

    def converse(self, host: Host, argv: Sequence[str], window: Window | None, timeout: float) -> Session:
        """Start a command on a host that is not this machine, to talk with it while it runs.

        It has so many seconds to begin. Raises InfrastructureError.
        """
        return self._ssh_connections().reach(host, self._login(host)).converse(argv, window, timeout)

    def accept_host_keys(
        self, hosts: Sequence[Host], agree: Callable[[NewHostKey], bool], timeout: float = 30.0
    ) -> Mapping[str, tuple[NewHostKey, ...] | NpuLaunchError]:
        """Put the unknown keys of hosts, and of the jump hosts before them, on record as they are agreed to.

        `agree` is shown one key at a time, with its fingerprint, before it is written. Gives the new keys of each host
        by its name, or why there are none: it was not reached, a key was not agreed to, or it is not that on record.
        """
        asking = threading.Lock()

        def one_by_one(key: NewHostKey) -> bool:
            with asking:
                return agree(key)

        def of(host: Host) -> tuple[NewHostKey, ...] | NpuLaunchError:
            try:
                if self.is_here(host):
                    return ()
                return self._ssh_connections().accept_host_keys(host, self._login(host), one_by_one, timeout)
            except NpuLaunchError as error:
                return error

        with ThreadPoolExecutor(HOSTS_AT_ONCE, thread_name_prefix="host-keys") as pool:
            return dict(zip((host.name for host in hosts), pool.map(of, hosts), strict=True))

    def close(self) -> None:
        """End every connection that is still open; a command that runs on one fails."""
        with self._lock:
            if self._connections is not None:
                self._connections.close()
                self._connections = None

    def _login(self, host: Host) -> Ssh | None:
        return host.ssh or self._ssh

    def _ssh_connections(self) -> Connections:
        with self._lock:
            if self._connections is None:
                from launcher.hosts.ssh.connections import Connections

                self._connections = Connections()
            return self._connections

    def __enter__(self) -> Ways:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
