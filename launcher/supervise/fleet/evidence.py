"""Gathers the evidence of a run over ssh: from its home, and from its hosts when nobody supervises it any more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.reach import Reach
from launcher.hosts.ways import Ways
from launcher.runs.home import home
from launcher.runs.pointer import At
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, Host
from launcher.supervise.fleet.asking import ask
from launcher.supervise.gather.fetching import fetch, hand_over
from launcher.supervise.gather.gathering import evidence_on, gathered_file, keep
from launcher.supervise.gather.outcome import FromHost, Gathered, Limits, Missing
from launcher.supervise.gather.request import Answer, request

_GATHERING: Final = 1800.0  # seconds for the hosts to hand over what they have, which may be 512 MiB of each
_LOOK: Final = 30.0  # seconds


def gather_at_home(run: RunDirectory, cluster: Cluster, ways: Ways, attempt: int, limits: Limits) -> Gathered:
    """The evidence of an attempt (0: the latest) of a run that has its home here.

    Its supervisor brings it; when the run has none any more, it comes over ssh from the hosts that can be reached from
    here. A host of which nothing came is told in what is returned. Raises UsageError for an attempt that is unknown.
    """
    answer = request(run, attempt, limits.host_bytes)
    answer.refuse_unknown(run.id)
    if answer.gathered is not None:
        return answer.gathered
    hosts = [host for host in cluster.hosts if host.name in answer.hosts]
    here = At(host="", python=sys.executable, home=str(home()))
    return keep(run, _from_hosts(run, hosts, ways, here, answer.attempt, limits))


def gather_from_afar(
    run: RunDirectory, cluster: Cluster, ways: Ways, at: At, attempt: int, limits: Limits
) -> tuple[Gathered, FromHost]:
    """The evidence of an attempt (0: the latest) of a run that has its home elsewhere: at its home, and here.

    When nobody supervises the run any more, it comes from its hosts to here first, and what the home does not have goes
    there. Returns what came of the hosts, and what came from the home. Raises UsageError for an attempt that is
    unknown, InfrastructureError when the home cannot be asked, and OSError when it cannot be written here.
    """
    head = next(host for host in cluster.hosts if host.name == at.host)
    reach = ways(head)
    answer = ask_home(run, reach, at, attempt, limits, _GATHERING)
    answer.refuse_unknown(run.id)
    of_all = limits.model_copy(update={"host_bytes": limits.host_bytes * len(answer.hosts)})
    provided = _provided(at)
    if answer.gathered is not None:
        return answer.gathered, fetch(run.id, reach, provided, run.path, limits=of_all)
    number = answer.attempt
    came = fetch(run.id, reach, provided, run.path, limits=of_all)
    hosts = [host for host in cluster.hosts if host.name in answer.hosts]
    found = keep(run, _from_hosts(run, hosts, ways, at, number, limits))
    folder = run.layout.attempt(number).directory
    new = [folder / "hosts", folder / "ranks", folder / "services", gathered_file(run, number)]
    hand_over(run.id, reach, provided, run.path, [str(path.relative_to(run.path)) for path in new])
    return found, came


def ask_home(run: RunDirectory, reach: Reach, at: At, attempt: int, limits: Limits, timeout: float) -> Answer:
    """What comes of having the home gather, which takes no more than so many seconds. Raises InfrastructureError."""
    said = ask(reach, at, "gather.request", run.id, str(attempt), str(limits.host_bytes), timeout=timeout)
    try:
        return Answer.model_validate(said, strict=False)
    except ValidationError:
        raise InfrastructureError(
            "what it says of the evidence is not understood",
            where=f"host {at.host}",
            expected="npu-launch of this version there",
            remedy="npu-launch up CLUSTER brings it there",
        ) from None


def _from_hosts(run: RunDirectory, hosts: Sequence[Host], ways: Ways, at: At, attempt: int, limits: Limits) -> Gathered:
    """What each host itself has of an attempt, into the run's folder here."""
    plan = run.layout.attempt(attempt).plan
    there = Path(at.home) / "runs" / run.id

    def of(host: Host) -> FromHost:
        try:
            reach = ways(host)
            provided = _provided(at.model_copy(update={"host": host.name, "python": _python(host, reach, at)}))
            paths = evidence_on(plan, there, attempt, host.name)
            return fetch(run.id, reach, provided, run.path, snapshot_of=attempt, limits=limits, paths=paths)
        except NpuLaunchError as error:
            return FromHost(host=host.name, missing=(Missing(what=host.name, why=error.what),))
        except OSError as error:
            return FromHost(host=host.name, missing=(Missing(what=host.name, why=str(error)),))

    with ThreadPoolExecutor(limits.hosts_at_once, thread_name_prefix="evidence") as pool:
        return Gathered(attempt=attempt, hosts=tuple(pool.map(of, hosts)))


def _python(host: Host, reach: Reach, at: At) -> str:
    """The interpreter with npu-launch on a host: as a rule the same as at home, else the one that its ranks have."""
    if host.python is None or reach.run(["test", "-x", at.python], timeout=_LOOK).code == 0:
        return at.python
    return host.python


def _provided(at: At) -> Provided:
    return Provided(host=at.host, home=at.home, python=at.python, machine="")
