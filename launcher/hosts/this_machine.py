"""This machine as a cluster."""

from __future__ import annotations

import socket
from pathlib import Path

from launcher.hosts.reach import ThisMachine
from launcher.hosts.reading.device_nodes import device_ids, machine_root
from launcher.specs import Cluster, Host, Recipe, load_cluster

_LOOPBACK = "127.0.0.1"


def resolve_cluster(recipe: Recipe, cluster: Path | None) -> Cluster:
    """The cluster to run on: the spec given, else the recipe's own, else (`auto`) this machine.

    This machine is its NPUs, or where it has none its CPU with a process slot for every rank: `Cluster.is_cpu` tells.
    Raises SpecError for a spec that cannot be read (never a silent fallback to this machine), and PreflightError.
    """
    if cluster is not None and (cluster != Path("auto") or cluster.exists()):
        return load_cluster(cluster)
    if cluster is None and recipe.cluster != "auto":
        return load_cluster(recipe.directory / recipe.cluster)
    here = Host(name=socket.gethostname() or "localhost", address=_LOOPBACK, devices=recipe.ranks)
    if not device_ids(machine_root()):
        return Cluster(name="this-machine", soc="CPU", hosts=(here,))
    return _own_npus(here)


def _own_npus(here: Host) -> Cluster:
    """This machine with the NPUs that its tools report. Raises PreflightError when what they are cannot be told."""
    from launcher.hosts.discovery import discover
    from launcher.hosts.reading.request import Level, Request
    from launcher.hosts.survey import survey_hosts

    answers = survey_hosts([here], Request(level=Level.FAST), lambda _: ThisMachine())
    found = discover("this-machine", [here], answers).cluster
    return found.model_copy(update={"hosts": (found.hosts[0].model_copy(update={"address": _LOOPBACK}),)})


def is_this_machine(address: str) -> bool:
    """Whether an address, or what a host name resolves to, is one of this machine's own."""
    import psutil

    try:
        found = {info[4][0] for info in socket.getaddrinfo(address, None)}
    except OSError:
        return False
    own = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries}
    return any(str(ip).startswith("127.") or str(ip) in own for ip in found)
