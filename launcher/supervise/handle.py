"""A run as a Python object, for notebooks and schedulers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from launcher.hosts import resolve_cluster
from launcher.logs.follow import Follower, Watch
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory, find_run
from launcher.specs import Cluster, Recipe, load_recipe
from launcher.supervise.fleet import afar
from launcher.supervise.fleet.way_home import way_home
from launcher.supervise.followed_record import FollowedRecord
from launcher.supervise.launch import request_stop, rerun, start
from launcher.supervise.line import Line, no_line
from launcher.supervise.preparation import read_specs
from launcher.supervise.spread import is_spread

_log = logging.getLogger(__name__)
_FOREVER = float("inf")


class Run:
    """One run, which lives on its own: dropping this object, or ending this process, does not touch it.

    One that lives on another host is asked for there, over ssh; all but `id` and `directory` then raise
    InfrastructureError when that host is not reached.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory

    @classmethod
    def find(cls, name: str | None = None) -> Run:
        """The run whose id begins so; without a name, the latest. Raises UsageError when there is none."""
        return cls(find_run(name))

    @property
    def id(self) -> str:
        return self._directory.id

    @property
    def directory(self) -> Path:
        """Where its record, plans and logs lie; of a run that lives on another host, what is here of it."""
        return self._directory.path

    @property
    def state(self) -> RunState:
        """How it stands now."""
        if (home := way_home(self._directory, to_read=True)) is not None:
            return afar.state(home)
        return self._directory.state()

    def wait(self, timeout: float | None = None) -> RunState:
        """The state in which the run has ended. Raises TimeoutError when it has not within `timeout` seconds."""
        if (home := way_home(self._directory)) is not None:
            return afar.wait(home, timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        watch = Watch()
        watch.add(self._directory.layout.events)
        try:
            record = FollowedRecord(self._directory)
            while not record.state.phase.ended:
                record.read()
                left = _FOREVER if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"run {self.id} has not ended within {timeout} s")
                watch.wait(left)
            return record.state
        finally:
            watch.close()

    def logs(self, *, follow: bool = False) -> Iterator[tuple[int, str]]:
        """`(rank, line)` of the latest attempt: what there is, or with `follow` also what comes until the run ends."""
        if (home := way_home(self._directory, to_read=True)) is not None:
            yield from afar.logs(home, follow=follow)
            return
        follower: Follower[int] = Follower()
        attempt = self.state.attempt
        if attempt is not None:
            for rank in attempt.ranks:
                follower.add(rank, self._directory.rank_log(attempt.number, rank))
        follower.wake_for(self._directory.layout.events)
        try:
            while follow and not self.state.phase.ended:
                yield from _decoded(follower.read())
                follower.wait()
            yield from _decoded(follower.finish())
        finally:
            follower.close()

    def stop(self) -> RunState:
        """Stop it and wait until its ranks are gone; the state then. Nothing happens to a run that has ended."""
        if (home := way_home(self._directory)) is not None:
            return afar.stop(home)
        request_stop(self._directory, by="Run.stop()")
        return self.wait()

    def rerun(self, *, ranks: tuple[int, ...] | None = None, wait: bool = False) -> None:
        """Start it again, from its newest checkpoint, as `launch` does. Raises UsageError while it is alive."""
        _, cluster = read_specs(self._directory)
        if not is_spread(cluster):
            rerun(self._directory, ranks=ranks, line=_line(wait))
            return
        if wait:
            raise no_line(cluster)
        from launcher.hosts.ways import open_reach
        from launcher.supervise.fleet.relaunch import Look, be_up_here, bring_home_up

        look = Look(None, (), _log.warning)
        if (home := way_home(self._directory)) is not None:
            bring_home_up(home, look, _log.info)
            afar.rerun(home, ranks)
        else:
            with open_reach(cluster) as reach:
                be_up_here(self._directory, cluster, reach, look, _log.info)
            rerun(self._directory, ranks=ranks)

    def __repr__(self) -> str:
        return f"<Run {self.id}: {self.state.phase.value}>"


def _decoded(found: Iterator[tuple[int, list[bytes]]] | list[tuple[int, list[bytes]]]) -> Iterator[tuple[int, str]]:
    for rank, lines in found:
        for line in lines:
            yield rank, line.decode(errors="replace").rstrip("\n")


def launch(
    recipe: Recipe | Path | str,
    cluster: Cluster | Path | str | None = None,
    *,
    name: str | None = None,
    wait: bool = False,
) -> Run:
    """Start a run and return at once; `recipe` and `cluster` are specs or the files they are in.

    Without a cluster, the recipe's own counts, as on the command line. Several hosts, or another than this machine, are
    reached by ssh and brought up first. With `wait`, it waits in line for devices that other runs have, which are
    refused otherwise; there is no line for several hosts. Raises SpecError, PlanError, PreflightError or
    InfrastructureError; nothing is left behind then.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(Path(recipe))
    if not isinstance(cluster, Cluster):
        cluster = resolve_cluster(recipe, None if cluster is None else Path(cluster))
    if not is_spread(cluster):
        return Run(start(recipe, cluster, name=name, line=_line(wait)))
    if wait:
        raise no_line(cluster)
    from launcher.hosts.ways import open_reach
    from launcher.supervise.fleet.launch import launch as launch_on_hosts

    with open_reach(cluster) as reach:
        return Run(
            launch_on_hosts(recipe, cluster, name=name, preflight=None, reach=reach, tell=_log.info, warn=_log.warning)
        )


def _line(wait: bool) -> Line | None:
    return Line(_log.info) if wait else None
