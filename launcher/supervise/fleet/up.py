"""Brings the hosts of a cluster up over ssh: npu-launch there, and one Ray over all of them.

What is there already stays: a cluster that is up is found to be so, and one that came half way is completed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.provision.provide import provide
from launcher.hosts.reach import Reach
from launcher.hosts.ways import Ways
from launcher.runs.clusters import Member, Membership, cluster_id
from launcher.runs.home import home
from launcher.runs.pointer import At
from launcher.specs import Cluster, Host
from launcher.supervise.fleet.asking import Result, Tell, ask, everywhere, refuse, sort_out
from launcher.supervise.fleet.choice import Head, addresses, choose_head, memberships
from launcher.supervise.fleet.joining import Joining
from launcher.supervise.fleet.others import to_leave
from launcher.supervise.fleet.there import There, digest, there_of
from launcher.supervise.spread import headed_by

_LOOK: Final = 30.0  # seconds for a host to say what it has of the cluster
_WRITE: Final = 30.0  # seconds for a file of some hundred bytes
_START: Final = 60.0  # seconds for npu-launch to begin on a host, which may have to compile it first
_ADOPT: Final = 60.0  # seconds
_CLOCK: Final = 1.0  # seconds by which a clock may differ without a word


@dataclass(frozen=True)
class Fleet:
    """The hosts of a cluster that are up: the head is the first host of `cluster`.

    `provided` has the hosts that have joined, by name; a spare may be missing. `adopted` runs are supervised again;
    `moved` are those that have the head for their home though the spec has another host first.
    """

    cluster: Cluster
    id: str
    provided: Mapping[str, Provided]
    adopted: tuple[str, ...]
    moved: tuple[str, ...]

    @property
    def head(self) -> Host:
        """The host with Ray's head, and with the runs."""
        return self.cluster.hosts[0]

    def at(self, host: str) -> At:
        """How npu-launch is called on a host that is up."""
        return at(self.provided[host])


def at(provided: Provided) -> At:
    """How npu-launch is called on a host."""
    return At(host=provided.host, python=provided.python, home=provided.home)


def bring_up(cluster: Cluster, *, stay: bool, reach: Ways, tell: Tell) -> Fleet:
    """Have npu-launch and Ray on all hosts; with `stay`, Ray stays when its last run has ended.

    What is there already is left alone. `tell` hears in a line each what is done, and what is wrong with spare hosts,
    which may be missing. Runs without an end whose supervisors are gone are supervised again; when the first host is
    lost, by the host that keeps copies of their records, which becomes the head. Raises InfrastructureError when
    another host does not come up, having told what is wrong with each.
    """
    with _BringUp(cluster, reach, tell) as work:
        return work.bring_up(stay=stay)


@dataclass(frozen=True)
class _Terms:
    """What all hosts are to know: the head, how they reach each other, whether Ray stays, and its token."""

    head: Head
    members: Mapping[str, Member]
    stay: bool
    token: bytes | None = field(repr=False)


class _BringUp:
    """One bringing up; a host with which something is wrong takes no further part."""

    def __init__(self, cluster: Cluster, reach: Ways, tell: Tell) -> None:
        self._cluster = cluster
        self._id = cluster_id(cluster)
        self._ways = reach
        self._tell = tell
        self._open = ExitStack()
        self._reaches: dict[str, Reach] = {}  # held, so that there is one connection for all that is done
        self._hosts = {host.name: host for host in cluster.hosts}
        self._failed: dict[str, NpuLaunchError] = {}
        self._ats: dict[str, At] = {}  # the hosts that still take part
        self._there: dict[str, There] = {}
        self._ahead: dict[str, float] = {}  # seconds by which a host's clock is ahead of ours

    def __enter__(self) -> _BringUp:
        for host in self._cluster.hosts:
            self._reaches[host.name] = self._ways(host)
            self._open.callback(self._reaches[host.name].close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def bring_up(self, *, stay: bool) -> Fleet:
        """See `bring_up` above."""
        members = addresses(self._cluster)
        first = self._cluster.hosts[0]
        own_home = str(home()) if self._ways.is_here(first) else None
        provided = self._keep(provide(self._cluster.hosts, self._ways, home=own_home, tell=self._tell))
        self._ats = {host: at(found) for host, found in provided.items()}
        self._there = self._keep(everywhere(self._look, self._left()))
        if stay:
            self._tell_clocks()
        self._keep(everywhere(self._leave_others, self._left()))
        head = choose_head(self._cluster, self._there)
        self._refuse_failures(head)
        if head.mirrored:
            self._tell(f"{first.name} is lost: {self._failed[first.name]}")
            self._tell(f"{head.host.name}: is the head now, and takes over {', '.join(head.mirrored)}")
        terms = _Terms(head, members, stay or self._stays(), self._token(head.host))
        self._write(terms)
        self._start(head)
        self._join(terms)
        joined = {host.name: provided[host.name] for host in self._left()}
        adopted = tuple(self._ask(head.host, "begin", "--adopt", *head.mirrored, timeout=_ADOPT)["runs"])
        moved = self._look(head.host).alive if head.host.name != first.name else ()
        return Fleet(headed_by(self._cluster, head.host.name), self._id, joined, adopted, moved)

    def _look(self, host: Host) -> There:
        asked = time.time()
        there = there_of(host.name, self._ask(host, "fleet.there", self._id, timeout=_LOOK))
        self._ahead[host.name] = there.clock - min(max(there.clock, asked), time.time())
        return there

    def _tell_clocks(self) -> None:
        for host, ahead in self._ahead.items():
            if abs(ahead) > _CLOCK:
                how = "ahead of" if ahead > 0 else "behind"
                mend = "chronyc makestep, or timedatectl set-ntp true"
                self._tell(f"{host}: its clock is {abs(ahead):.0f} s {how} this machine's ({mend})")

    def _leave_others(self, host: Host) -> None:
        """Take a host out of other clusters that would be in the way. Raises InfrastructureError."""
        for other in to_leave(host.name, self._there[host.name], self._cluster):
            self._ask(host, "on_ray.end", other, timeout=_START)

    def _stays(self) -> bool:
        """Whether Ray is up and was told to stay."""
        return any(there.is_head and there.membership and there.membership.stay for there in self._there.values())

    def _token(self, head: Host) -> bytes | None:
        """The token of the cluster's Ray: that of somebody else's Ray, the one that the head has, or a new one."""
        ray, there = self._cluster.ray, self._there[head.name]
        if ray is not None and ray.address is not None:
            return _read(ray.token) if ray.token is not None else None
        if there.token is None:
            return secrets.token_hex(32).encode()
        answer = self._reaches[head.name].run(["cat", f"{there.directory}/token"], timeout=_WRITE)
        if answer.code != 0 or digest(answer.stdout) != there.token:
            raise InfrastructureError(
                "the token of the cluster's Ray cannot be read",
                where=f"host {head.name}, {there.directory}/token",
                remedy="npu-launch down CLUSTER, then up again: a new one is made",
            )
        return answer.stdout

    def _write(self, terms: _Terms) -> None:
        """Have every host know the cluster and the token, where it does not yet."""
        pythons = {host.name: self._ats[host.name].python for host in self._left()}
        wanted = memberships(self._cluster, terms.head.host, terms.members, pythons, stay=terms.stay)
        self._refuse_other_terms(wanted[terms.head.host.name])

        def write(host: Host) -> None:
            there, reach, token = self._there[host.name], self._reaches[host.name], terms.token
            if token is not None and there.token != digest(token):
                reach.put(token, f"{there.directory}/token", mode=0o600, timeout=_WRITE)
            if there.membership != wanted[host.name]:
                content = wanted[host.name].model_dump_json(indent=1).encode() + b"\n"
                reach.put(content, f"{there.directory}/membership.json", mode=0o600, timeout=_WRITE)
            known = {"token": there.token if token is None else digest(token), "membership": wanted[host.name]}
            self._there[host.name] = there.model_copy(update=known)

        self._keep(everywhere(write, self._left()))
        self._refuse_failures(terms.head)

    def _start(self, head: Head) -> None:
        """Have Ray run on all hosts; those that are not the head join it there, each at a moment of its own."""
        self._keep(everywhere(lambda host: self._ask(host, "on_ray.start", self._id, timeout=_START), self._left()))
        self._refuse_failures(head)

    def _join(self, terms: _Terms) -> None:
        """Wait until all hosts have joined; the head waits for every member."""

        def joined(host: Host, seconds: float) -> None:
            answer = self._ask(host, "on_ray.joined", self._id, str(seconds), timeout=seconds + _START)
            if not answer.get("was_up"):
                self._tell(f"{host.name}: joined")

        head = terms.head.host
        joining = Joining(joined, head)
        found = everywhere(joining.wait_for, self._left())
        if needed := joining.reasons & self._needed(terms.head):  # what is wrong with others comes of it
            self._keep({host: found[host] for host in needed})
            self._refuse_failures(terms.head)
        of_head = found.pop(head.name)
        if len(self._keep(found)) < len(found) and not self._missed(terms.head):
            self._write(terms)  # without the spares that did not come
            of_head = everywhere(Joining(joined, head).wait_for, [head])[head.name]
        self._keep({head.name: of_head})
        self._refuse_failures(terms.head)

    def _ask(self, host: Host, module: str, *arguments: str, timeout: float) -> Any:
        return ask(self._reaches[host.name], self._ats[host.name], module, *arguments, timeout=timeout)

    def _left(self) -> list[Host]:
        return [host for host in self._cluster.hosts if host.name in self._ats]

    def _keep(self, found: Mapping[str, Result | NpuLaunchError]) -> dict[str, Result]:
        """What came of something on each host; those on which nothing came of it are told of, and left out."""
        given, failed = sort_out(found)
        for name, error in failed.items():
            self._ats.pop(name, None)
            self._failed[name] = error
            if self._hosts[name].spare:
                self._tell(f"{name}: a spare, which will be missing: {error}")
        return given

    def _refuse_failures(self, head: Head) -> None:
        """Raise what is wrong with hosts that the cluster cannot do without; of several, each is told."""
        refuse(self._missed(head), self._tell)

    def _missed(self, head: Head) -> dict[str, NpuLaunchError]:
        """What is wrong with such hosts. A head that was lost is none, once another has taken its place."""
        needed = self._needed(head)
        return {host: error for host, error in self._failed.items() if host in needed}

    def _needed(self, head: Head) -> set[str]:
        needed = {host.name for host in self._cluster.hosts if not host.spare} | {head.host.name}
        if head.mirrored:
            needed.discard(self._cluster.hosts[0].name)
        return needed

    def _refuse_other_terms(self, wanted: Membership) -> None:
        """Raise when our Ray is up, and the spec has another port or other certificates now, or another's Ray."""
        there = self._there[wanted.me]
        known = there.membership
        if there.is_head and known is not None and _ray_of(known) != _ray_of(wanted):
            raise InfrastructureError(
                f"Ray is up with first port {known.port}, and the cluster spec now says other things of Ray",
                where=f"host {wanted.me}",
                remedy="npu-launch down CLUSTER, then up again",
            )


def _ray_of(membership: Membership) -> tuple[object, ...]:
    """What Ray has to be started anew for when it changes."""
    return membership.port, membership.tls, membership.external


def _read(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes().strip()
    except OSError as error:
        raise InfrastructureError(
            f"the token of the Ray that is there cannot be read: {error.strerror}", where=path, remedy="see ray.token"
        ) from None
