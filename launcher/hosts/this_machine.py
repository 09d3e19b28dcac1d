"""This machine as a cluster, and whether a run can start on it."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

from launcher.errors import PreflightError, UsageError
from launcher.hosts.machine_files import device_ids, read_npus
from launcher.hosts.program import check_program
from launcher.specs import Cluster, Framework, Host, Recipe, load_cluster

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
    npus = read_npus()
    name = socket.gethostname() or "localhost"
    if npus is None:
        return Cluster(
            name="this-machine", soc="CPU", hosts=(Host(name=name, address=_LOOPBACK, devices=recipe.ranks),)
        )
    soc, devices = npus
    return Cluster(name="this-machine", soc=soc, hosts=(Host(name=name, address=_LOOPBACK, devices=devices),))


def check_this_machine(recipe: Recipe, cluster: Cluster) -> None:
    """Refuse what could only fail after the ranks have started.

    Raises UsageError for hosts that are not this machine, SpecError for a script that is not there, PreflightError for
    devices or a framework that are missing.
    """
    elsewhere = [host for host in cluster.hosts if not is_this_machine(host.address)]
    if elsewhere or len(cluster.hosts) > 1:
        host = (elsewhere or list(cluster.hosts))[-1]
        raise UsageError(
            f"cluster {cluster.name} has hosts that are not this machine: {host.name} ({host.address})",
            expected="one host with an address of this machine; this version does not start ranks on other hosts",
            remedy="npu-launch plan RECIPE -c CLUSTER -o sh writes what to run there",
        )
    check_program(recipe)
    if cluster.is_cpu:
        _check_framework(recipe)
    else:
        _check_devices(cluster.hosts[0])


def is_this_machine(address: str) -> bool:
    """Whether an address, or what a host name resolves to, is one of this machine's own."""
    import psutil

    try:
        found = {info[4][0] for info in socket.getaddrinfo(address, None)}
    except OSError:
        return False
    own = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries}
    return any(str(ip).startswith("127.") or str(ip) in own for ip in found)


def _check_framework(recipe: Recipe) -> None:
    """Whether the framework is installed, as far as can be told without importing it."""
    module = {Framework.MINDSPORE: "mindspore", Framework.PYTORCH: "torch"}.get(recipe.framework)
    if module is None or recipe.python is not None or importlib.util.find_spec(module) is not None:
        return
    extra = "pip install 'npu-launch[mindspore]'" if module == "mindspore" else "pip install torch"
    raise PreflightError(
        f"{module} is not installed beside npu-launch",
        where=str(recipe.source or "recipe"),
        expected=f"framework: {recipe.framework.value} needs it",
        remedy=f"{extra}, or name another interpreter in the recipe (python: /path/to/python)",
    )


def _check_devices(host: Host) -> None:
    here = set(device_ids(Path("/")))
    missing = [device.id for device in host.device_list if device.id not in here]
    if missing:
        raise PreflightError(
            f"host {host.name} has no {', '.join(f'/dev/davinci{number}' for number in missing)}",
            expected=f"device nodes that uid {os.getuid()} may see; here are {sorted(here) or 'none'}",
            remedy="mend devices in the cluster spec, or pass the device nodes into the container (--device)",
        )
