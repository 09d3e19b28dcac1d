"""What has to be seen of NPU hosts before a run on them can be planned."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from launcher.errors import InfrastructureError
from launcher.hosts.affinity import near_cpus
from launcher.hosts.reach import Reach, ThisMachine
from launcher.hosts.reading.device_nodes import node_ids
from launcher.hosts.set_env import host_environment
from launcher.hosts.this_machine import device_ids, machine_root
from launcher.planning.model import HostEnvironment
from launcher.planning.ranktable.addresses import parse_ip
from launcher.runs.home import cache_directory, write_file
from launcher.runs.store import RunDirectory
from launcher.specs import Binding, Cluster, Host, Recipe
from launcher.supervise.spread import is_spread

_TOPOLOGY_LIMIT: Final = 5.0  # seconds; npu-smi takes less than one on a healthy host
_NODES_LIMIT: Final = 5.0  # seconds
_HOSTS_AT_ONCE: Final = 32
_NODES: Final = "cd /dev && ls -d davinci[0-9]* 2>/dev/null; :"


class Sights(BaseModel):
    """The NPUs that are there, what CANN's set_env.sh leaves, the processors near to each NPU, addresses; by host.

    An address is the IP by which the others reach a host, with the host's interface that has it (None: none was seen).
    Hosts of which nothing is known are left out; `warnings` say what was doubtful.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices_there: tuple[tuple[str, tuple[int, ...]], ...] = ()
    host_environments: tuple[HostEnvironment, ...] = ()
    near_cpus: tuple[tuple[str, int, tuple[int, ...]], ...] = ()
    addresses: tuple[tuple[str, str, str | None], ...] = ()
    warnings: tuple[str, ...] = ()

    def as_place(self) -> dict[str, Any]:
        """The same as arguments of a `Place`."""
        return {name: getattr(self, name) for name in type(self).model_fields}


def sights_of(recipe: Recipe, cluster: Cluster, reach: Callable[[Host], Reach], ips: Mapping[str, str]) -> Sights:
    """What is seen of all hosts, over the ways that lead there; `ips` are what they reach each other by.

    Raises PreflightError when a set_env.sh that is there does not work, InfrastructureError for a host out of reach.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(cluster.hosts), _HOSTS_AT_ONCE), thread_name_prefix="sights") as pool:
        each = pool.map(lambda host: _seen_there(recipe, cluster, host, reach(host), ips[host.name]), cluster.hosts)
        return _together(tuple(each))


def sights_here(recipe: Recipe, cluster: Cluster, run: RunDirectory) -> Sights:
    """What a run on this machine alone has to see; of other hosts, nothing is seen.

    CANN is where the cluster says; else the one that the run began with; else what the launching shell has set up
    (ASCEND_HOME_PATH), or the installer's own place. Raises as `sights_of` does.
    """
    host = cluster.hosts[0]
    if is_spread(cluster):
        return Sights(addresses=resolved_addresses(cluster))
    if cluster.is_cpu:
        return Sights()
    nodes = device_ids(machine_root())
    return _seen(recipe, cluster, host, ThisMachine(), nodes, _cann_of(run) or os.environ.get("ASCEND_HOME_PATH"))


def keep_sights(run: RunDirectory, sights: Sights) -> None:
    """Keep them with a run whose home cannot look at all hosts again. Raises InfrastructureError."""
    write_file(run.layout.sights, sights.model_dump_json(indent=1) + "\n")


def kept_sights(run: RunDirectory) -> Sights | None:
    """Those that a run has kept; None where it looks for itself. Raises InfrastructureError for what is none."""
    try:
        return Sights.model_validate_json(run.layout.sights.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise InfrastructureError(
            f"what was seen of the hosts cannot be read: {error}",
            where=str(run.layout.sights),
            remedy="start the run anew",
        ) from error


def resolved_addresses(cluster: Cluster) -> tuple[tuple[str, str, None], ...]:
    """The hosts' addresses, for a `Place`, as this machine resolves them where one is a name; nothing if it cannot."""
    if all(parse_ip(host.address) for host in cluster.hosts):
        return ()
    from launcher.supervise.fleet.choice import addresses

    try:
        return tuple((name, member.ip, None) for name, member in addresses(cluster).items())
    except InfrastructureError:
        return ()


def _seen_there(recipe: Recipe, cluster: Cluster, host: Host, reach: Reach, ip: str) -> Sights:
    from launcher.hosts.survey import interfaces_of

    try:
        there = interfaces_of(reach, host.python, _NODES_LIMIT)
        own = next((name for name, owned in there.items() if parse_ip(ip) in map(parse_ip, owned)), None)
        address = ((host.name, ip, own),)
        if cluster.is_cpu:
            return Sights(addresses=address)
        answer = reach.run(["sh", "-c", _NODES], timeout=_NODES_LIMIT)
        seen = _seen(recipe, cluster, host, reach, node_ids(answer.stdout.decode(errors="replace").split()), None)
        return seen.model_copy(update={"addresses": address})
    finally:
        reach.close()


def _seen(
    recipe: Recipe, cluster: Cluster, host: Host, reach: Reach, nodes: Sequence[int], cann_else: str | None
) -> Sights:
    """One host; `cann_else` is where CANN is if the cluster does not say."""
    named = host.cann or cluster.cann
    environment = host_environment(reach, host.name, named or cann_else, recipe.framework, _cache())
    warnings = []
    if environment is None and named is not None:
        warnings.append(
            f"host {host.name} has no set_env.sh in {named} or beside it: ranks have what the shell has of CANN"
        )
    near: tuple[tuple[str, int, tuple[int, ...]], ...] = ()
    if recipe.binding is Binding.AUTO:
        near, trouble = near_cpus(host.name, reach.run(["npu-smi", "info", "-t", "topo"], timeout=_TOPOLOGY_LIMIT))
        warnings += [trouble] if trouble else []
    return Sights(
        devices_there=((host.name, tuple(nodes)),),
        host_environments=() if environment is None else (environment,),
        near_cpus=near,
        warnings=tuple(warnings),
    )


def _together(each: Sequence[Sights]) -> Sights:
    """The sights of several hosts as one; hosts that have the same of CANN are told of together."""
    groups: list[HostEnvironment] = []
    for environment in (environment for sights in each for environment in sights.host_environments):
        for number, group in enumerate(groups):
            if group.model_copy(update={"hosts": environment.hosts}) == environment:
                groups[number] = group.model_copy(update={"hosts": (*group.hosts, *environment.hosts)})
                break
        else:
            groups.append(environment)
    return Sights(
        devices_there=tuple(nodes for sights in each for nodes in sights.devices_there),
        host_environments=tuple(groups),
        near_cpus=tuple(near for sights in each for near in sights.near_cpus),
        addresses=tuple(address for sights in each for address in sights.addresses),
        warnings=tuple(warning for sights in each for warning in sights.warnings),
    )


def _cann_of(run: RunDirectory) -> str | None:
    """CANN's folder in the run's first attempt: who restarts a run need not have the shell that launched it."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        plan = json.loads(run.layout.attempt(1).plan.read_bytes())
        script = plan["host_environments"][0]["files"][0]
        return str(Path(script).parent) if script.endswith("/set_env.sh") else None
    return None


def _cache() -> Path | None:
    """Where answers of hosts are kept; None where nothing can be written, for a plan is only looked at then."""
    try:
        return cache_directory()
    except InfrastructureError:
        return None
