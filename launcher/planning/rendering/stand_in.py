"""A plan for hosts that are known only when it runs: the nodes of an allocation, the pods of a job.

Its hosts have addresses that no network uses, so that every place where one is named can be found again and written as
what will be known then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

from launcher.errors import PlanError
from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.rendering.words import Speller
from launcher.specs import Cluster, Device, Host, Recipe, dump_yaml

JOB: Final = "@job-id@"
"""Stands for the scheduler's number of the job."""

_HOSTS: Final = "198.18"  # 198.18.0.0/15 is for measurements of network equipment: no host has it (RFC 2544)
_DEVICES: Final = "198.19"
_MARKS: Final = re.compile(rf"{JOB}|198\.1[89]\.\d{{3}}\.\d{{3}}")
_FIRST: Final = 100  # all numbers have three digits: the addresses as texts are in the order of the hosts
_EACH: Final = 156


@dataclass(frozen=True)
class StandIn:
    """A plan, the address of each of its hosts, and the device address of each of its ranks, where it has one."""

    plan: LaunchPlan
    addresses: tuple[str, ...]
    device_addresses: Mapping[int, str]

    def speller(self, later: Mapping[str, str]) -> Speller:
        """Writes addresses as elements of arrays: `addresses` by the host's place, `device_addresses` by the rank."""
        hosts = {text: f'"${{addresses[{place}]}}"' for place, text in enumerate(self.addresses)}
        devices = {text: f'"${{device_addresses[{rank}]}}"' for rank, text in self.device_addresses.items()}
        own = dict(zip(self.plan.hosts, self.addresses, strict=True))
        return Speller(later={**later, **hosts, **devices}, own_address=own, marks=_MARKS.pattern)

    def named_hosts(self) -> tuple[int, ...]:
        """The places of the hosts whose address is told on others."""
        own = dict(zip(self.plan.hosts, self.addresses, strict=True))
        told = [(own[rank.host], (*rank.env.values(), *rank.argv)) for rank in self.plan.ranks]
        named = {mark for own, texts in told for text in texts for mark in _MARKS.findall(text) if mark != own}
        return tuple(place for place, address in enumerate(self.addresses) if address in named)


def stand_in(recipe: Recipe, cluster: Cluster, place: Place) -> StandIn:
    """Plan for hosts like those of the cluster, with the same devices each, whose addresses are not known.

    Raises PlanError where recipe and cluster do not fit, and for a rank table that names more than addresses.
    """
    where = str(recipe.source or "")
    taken = _MARKS.search(dump_yaml(recipe))
    if taken is not None:
        raise PlanError(
            f"the recipe holds the text {taken.group()}, which stands for what is known only when the job runs",
            where=where,
            expected="any other text",
        )
    if cluster.device_count > _EACH * _EACH:
        raise PlanError(
            f"cluster {cluster.name} has {cluster.device_count} devices",
            where=str(cluster.source or ""),
            expected=f"at most {_EACH * _EACH} where hosts are known only when the job runs",
        )
    # One host alone may do without device addresses; what the cluster's devices have, those of the nodes have too.
    has_addresses = not cluster.is_cpu and (
        len(cluster.hosts) > 1 or any(device.ip for device in cluster.hosts[0].device_list)
    )
    numbers = count()
    hosts = tuple(_unknown(host, place, numbers, has_addresses) for place, host in enumerate(cluster.hosts))
    launch = plan(recipe, cluster.model_copy(update={"hosts": hosts}), place)
    if launch.rank_table is not None and getattr(launch.rank_table, "version", "1.0") != "1.0":
        raise PlanError(
            "the rank table of this cluster names super pods, which are known only when the job runs",
            where=where,
            expected="rank table 1.0, or none",
            remedy="set rank_table to 1.0, or write the script with -o sh for hosts that are known",
        )
    by_name = {host.name: host for host in hosts}
    ips = {(host.name, device.id): device.ip for host in hosts for device in host.device_list}
    return StandIn(
        plan=launch,
        addresses=tuple(by_name[name].address for name in launch.hosts),
        device_addresses={rank.rank: ip for rank in launch.ranks if (ip := ips.get((rank.host, rank.slot)))},
    )


def _unknown(host: Host, place: int, numbers: Iterator[int], has_addresses: bool) -> Host:
    devices = tuple(
        Device(id=device.id, ip=_address(_DEVICES, next(numbers)) if has_addresses else None)
        for device in host.device_list
    )
    unknown = {"address": _address(_HOSTS, place), "devices": devices, "server_id": None, "super_pod": None}
    return host.model_copy(update=unknown)


def _address(network: str, number: int) -> str:
    return f"{network}.{_FIRST + number // _EACH}.{_FIRST + number % _EACH}"
