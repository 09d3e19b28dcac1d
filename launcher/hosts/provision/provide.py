"""Provides hosts with an environment: one that is there, else one that is brought; many hosts at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final, TypeVar

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.provision.choice import Named, choose, minor, shortcomings
from launcher.hosts.provision.closure import own_machine
from launcher.hosts.provision.look import look
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.provision.problems import failed, megabytes
from launcher.hosts.provision.push import Place, push, verify
from launcher.hosts.provision.stock import Stock
from launcher.hosts.reach import Reach, ThisMachine
from launcher.runs.home import home as own_home
from launcher.specs import Host

PUSHES_AT_ONCE: Final = 8  # they share the launching machine's line
LOOKS_AT_ONCE: Final = 32

Item = TypeVar("Item", Host, Place)
Result = TypeVar("Result")
Outcome = Provided | NpuLaunchError


def provide(
    hosts: Sequence[Host], reach: Callable[[Host], Reach], *, home: str | None, tell: Callable[[str], None]
) -> dict[str, Outcome]:
    """What each host has, by its name, or why it has nothing; in the order of the hosts.

    `home` is npu-launch's folder, the same on all; None: the default of the first host, the head. `tell` hears of
    progress, from one thread at a time. All hosts end up with the same minor version of Python, and the same npu-launch
    and Ray. Raises nothing for what is wrong on a host.
    """
    with ExitStack() as ways:
        return _Provision(reach, tell, ways).all_of(hosts, home)


class _Provision:
    """One call of `provide`."""

    def __init__(self, reach: Callable[[Host], Reach], tell: Callable[[str], None], ways: ExitStack) -> None:
        self._reach = reach
        self._said = tell
        self._ways = ways
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._stock = Stock(self._tell)
        self._outcomes: dict[str, Outcome] = {}
        self._minors: dict[str, str] = {}

    def all_of(self, hosts: Sequence[Host], home: str | None) -> dict[str, Outcome]:
        """See `provide`."""
        head, *others = hosts
        places = self._each(lambda host: self._looked(host, home), [head], LOOKS_AT_ONCE)
        if places:
            home = places[0].seen.home
        elif isinstance(found := self._outcomes[head.name], Provided):
            home = found.home
        places += self._each(lambda host: self._looked(host, home), others, LOOKS_AT_ONCE)
        self._bring(places)
        self._compare(head, hosts)
        return {host.name: self._outcomes[host.name] for host in hosts}

    def _looked(self, host: Host, home: str | None) -> Place | None:
        """Where an environment has to be; None for a host that needs none."""
        way = self._reach(host)
        with self._lock:
            self._ways.callback(way.close)
        if isinstance(way, ThisMachine):
            provided = Provided(host.name, home or str(own_home()), sys.executable, own_machine())
            self._provided(provided, minor(sys.version_info[:2]))
            return None
        seen = look(host, way, home, minor(sys.version_info[:2]))
        release = self._stock.release(seen.machine)
        choice = choose(seen, release)
        if isinstance(choice, Named):
            provided = Provided(host.name, seen.home, choice.interpreter.path, seen.machine)
            self._provided(provided, minor(choice.interpreter.version))
            return None
        if host.python is not None:
            lack = shortcomings(seen.named, release) if seen.named is not None else "does not run"
            detail = f" ({seen.named_problem})" if seen.named_problem else ""
            self._tell(f"{host.name}: {host.python} {lack}{detail}: an environment of our own is used")
        return Place(host, way, seen, release, choice)

    def _bring(self, places: Sequence[Place]) -> None:
        """Try the environments that are there, and bring the others: to hosts that share a home, only once."""
        missing = self._unverified([place for place in places if place.environment.name in place.seen.environments])
        missing += [place for place in places if place.environment.name not in place.seen.environments]
        first = {(place.seen.identity or place.host.name, place.environment.name): place for place in reversed(missing)}
        firsts = list(first.values())
        self._each(self._pushed, firsts, PUSHES_AT_ONCE)
        rest = self._unverified([place for place in missing if place not in firsts])
        self._each(self._pushed, rest, PUSHES_AT_ONCE)

    def _unverified(self, places: Sequence[Place]) -> list[Place]:
        """Those whose environment is not there, or does not run."""

        def tried(place: Place) -> Place | None:
            try:
                self._settled(place, verify(place))
            except InfrastructureError:
                return place
            return None

        return self._each(tried, places, LOOKS_AT_ONCE)

    def _pushed(self, place: Place) -> None:
        if place.seen.glibc is None:
            raise place.failed(
                f"its C library is {place.seen.libc or 'unknown'}, and Ray runs on glibc alone",
                remedy="run in a container with glibc there, and give that container an sshd",
            )
        archive = self._stock.archive(place.release, place.seen.glibc, has_python=place.environment.base is None)
        begun = time.monotonic()
        removed = push(place, archive, self._stopped)
        seconds = time.monotonic() - begun
        self._tell(f"{place.host.name}: {megabytes(archive.demands.packed)} environment pushed in {seconds:.1f} s")
        self._settled(place, removed)

    def _settled(self, place: Place, removed: Sequence[str]) -> None:
        if removed:
            self._tell(f"{place.host.name}: {len(removed)} environments of earlier versions removed")
        provided = Provided(place.host.name, place.seen.home, place.python, place.seen.machine)
        self._provided(provided, place.release.minor)

    def _provided(self, provided: Provided, version: str) -> None:
        self._outcomes[provided.host] = provided
        self._minors[provided.host] = version

    def _compare(self, head: Host, hosts: Sequence[Host]) -> None:
        """Ray wants one minor version of Python everywhere: the head's counts."""
        wanted = self._minors.get(head.name)
        for host in hosts:
            found = self._minors.get(host.name)
            if wanted is not None and found is not None and found != wanted:
                self._outcomes[host.name] = failed(
                    host.name,
                    "environment",
                    f"it would run Python {found}, and the head {head.name} runs Python {wanted}",
                    expected="one minor version of Python on all hosts (Ray wants that)",
                    remedy="name an interpreter of one version on all hosts (python: in the cluster spec), or on none",
                )

    def _each(self, work: Callable[[Item], Result | None], items: Sequence[Item], at_once: int) -> list[Result]:
        """What the work gives for each host, at once; where it gives nothing or fails, that host is done with."""

        def guarded(item: Item) -> Result | None:
            host = item.host if isinstance(item, Place) else item
            try:
                return work(item)
            except NpuLaunchError as error:
                self._outcomes[host.name] = _of_host(host, error)
                return None

        if not items:
            return []
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="provide")
        try:
            return [result for result in pool.map(guarded, items) if result is not None]
        except BaseException:  # an interrupt, which the threads do not see
            self._stopped.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _tell(self, line: str) -> None:
        with self._lock:
            self._said(line)


def _of_host(host: Host, error: NpuLaunchError) -> NpuLaunchError:
    """The error with the host's name, which one of this machine's own has not."""
    if f"host {host.name}" in error.where:
        return error
    what = f"{error.where}: {error.what}" if error.where else error.what
    return failed(host.name, "environment", what, expected=error.expected, remedy=error.remedy)
