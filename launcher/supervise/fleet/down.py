"""Takes the hosts of a cluster down over ssh: Ray ends, and what it needed goes; environments, code and runs stay."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from launcher.errors import InfrastructureError, UsageError
from launcher.hosts.reach import Reach
from launcher.hosts.ways import Ways
from launcher.runs.clusters import Membership, cluster_id
from launcher.runs.home import home
from launcher.runs.pointer import At
from launcher.specs import Cluster, Host
from launcher.supervise.fleet.asking import Tell, ask, everywhere, refuse, sort_out
from launcher.supervise.fleet.over import Known, Standing, known_of, standing
from launcher.supervise.fleet.there import There, there_of

_LOOK: Final = 30.0  # seconds
_STOP: Final = 300.0  # seconds for a run to stop: its ranks have the recipe's grace
_LEAVE: Final = 90.0  # seconds for ranks to end that have lost their home: they have the recipe's grace
_FINISH: Final = 20.0  # seconds for a supervisor to leave a run whose end it has written
_PAUSE: Final = 1.0  # seconds between two looks
_END: Final = 60.0  # seconds for what there is of Ray on a host to end
_FIND: Final = """\
home=${1:-${NPU_LAUNCH_HOME:-$HOME/.npu-launch}}
echo "$home"
cat "$home/machines/$(uname -n)/clusters/$2/membership.json"
"""


def take_down(cluster: Cluster, *, force: bool, reach: Ways, tell: Tell) -> bool:
    """End what `up` started on the hosts of a cluster, and forget it there; False when there was nothing.

    With `force` the runs there are stopped first, and without it their being there is a UsageError that names them.
    Hosts that are not reached do not keep the others; raises InfrastructureError for them afterwards.
    """
    with ExitStack() as opened:
        reaches = {host.name: reach(host) for host in cluster.hosts}
        for each in reaches.values():
            opened.callback(each.close)
        return _Down(cluster, reaches, tell, str(home()) if reach.is_here(cluster.hosts[0]) else "").take_down(force)


@dataclass(frozen=True)
class _Found:
    """A host's membership, and npu-launch's home there; None for a host that is no member."""

    home: str
    membership: Membership | None


class _Down:
    def __init__(self, cluster: Cluster, reaches: dict[str, Reach], tell: Tell, home_there: str) -> None:
        self._cluster, self._reaches, self._tell, self._home = cluster, reaches, tell, home_there
        self._id = cluster_id(cluster)

    def take_down(self, force: bool) -> bool:
        first, *others = self._cluster.hosts
        found = everywhere(self._find, [first])
        if isinstance(known := found[first.name], _Found):
            self._home = known.home
        known_of, failed = sort_out({**found, **everywhere(self._find, others)})
        members = {host: known.membership for host, known in known_of.items() if known.membership is not None}
        ats = {
            host: At(host=host, python=membership.python, home=known_of[host].home)
            for host, membership in members.items()
        }
        self._settle_runs(ats, force)
        heads = {host for host, membership in members.items() if membership.is_head}
        for group in (set(ats) - heads, heads):
            hosts = [host for host in self._cluster.hosts if host.name in group]
            failed |= sort_out(everywhere(lambda host: self._end(ats[host.name]), hosts))[1]
        refuse(failed, self._tell)
        return bool(members)

    def _find(self, host: Host) -> _Found:
        reach = self._reaches[host.name]
        answer = reach.run(["sh", "-c", _FIND, "sh", self._home, self._id], timeout=_LOOK)
        place, _, content = answer.stdout.decode(errors="replace").partition("\n")
        if answer.code != 0:
            return _Found(place, None)
        try:
            return _Found(place, Membership.model_validate_json(content))
        except ValidationError:
            raise InfrastructureError(
                "what this host has of the cluster is not understood",
                where=f"host {host.name}, {place}/machines/*/clusters/{self._id}",
                remedy="npu-launch up CLUSTER writes it anew; then down again",
            ) from None

    def _settle_runs(self, ats: dict[str, At], force: bool) -> None:
        """See to it that no run is left. Raises UsageError when there is one and it may not be stopped."""
        runs = self._runs(ats)
        if not runs:
            return
        alive = self._alive(runs, ats)
        if alive and not force:
            raise UsageError(
                f"runs are on {self._cluster.name}: {', '.join(alive)}",
                expected="a cluster without runs",
                remedy="npu-launch stop RUN, or npu-launch down --force, which stops them",
            )
        for run in alive:
            self._tell(f"stopping {run}")
            for host in runs[run]:
                argv = [*ats[host].command, "-m", "launcher.cli.main", "stop", "--", run]
                self._reaches[host].run(argv, timeout=_STOP)
        for run, hosts in self._runs(ats).items():  # their home is lost or is done, and their shims would wait for it
            for host in hosts:
                ask(self._reaches[host], ats[host], "fleet.dismiss", run, timeout=_LOOK)
        deadline = time.monotonic() + _LEAVE
        while (left := self._runs(ats)) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        if left:
            where = "; ".join(f"{run} on {', '.join(hosts)}" for run, hosts in sorted(left.items()))
            raise InfrastructureError(
                f"runs do not end: {where}",
                expected="nothing of a run that was stopped",
                remedy="npu-launch stop --orphans there",
            )

    def _runs(self, ats: dict[str, At]) -> dict[str, list[str]]:
        """The hosts that keep something of a run going, by its id."""
        hosts = [host for host in self._cluster.hosts if host.name in ats]
        runs: dict[str, list[str]] = {}
        for name, there in sort_out(everywhere(lambda host: self._look(ats[host.name]), hosts))[0].items():
            for run in there.alive:
                runs.setdefault(run, []).append(name)
        return runs

    def _alive(self, runs: Collection[str], ats: dict[str, At]) -> list[str]:
        """Those of the runs that are not over; who supervises one that has ended is waited for a while."""
        deadline = time.monotonic() + _FINISH
        while True:
            known = self._known(runs, ats)
            standings = {run: standing([of[run] for of in known if run in of]) for run in runs}
            if Standing.ENDING not in standings.values() or time.monotonic() >= deadline:
                return sorted(run for run, each in standings.items() if each is not Standing.OVER)
            time.sleep(_PAUSE)

    def _known(self, runs: Collection[str], ats: dict[str, At]) -> list[dict[str, Known]]:
        """What each host knows of the runs; nothing of any when one cannot say, for it may be the one that knows."""
        hosts = [host for host in self._cluster.hosts if host.name in ats]

        def known(host: Host) -> dict[str, Known]:
            answer = ask(self._reaches[host.name], ats[host.name], "fleet.over", *runs, timeout=_LOOK)
            return known_of(host.name, answer)

        answers, failed = sort_out(everywhere(known, hosts))
        return [] if failed else list(answers.values())

    def _look(self, at: At) -> There:
        return there_of(at.host, ask(self._reaches[at.host], at, "fleet.there", self._id, timeout=_LOOK))

    def _end(self, at: At) -> None:
        ask(self._reaches[at.host], at, "on_ray.end", self._id, timeout=_END)
        self._tell(f"{at.host}: down")
