"""This machine as a cluster."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

from launcher.errors import UsageError
from launcher.hosts.reach import ThisMachine
from launcher.hosts.reading.device_nodes import node_ids
from launcher.specs import Cluster, Device, Host, Recipe, load_cluster

_LOOPBACK = "127.0.0.1"

_log = logging.getLogger(__name__)


def resolve_cluster(recipe: Recipe, cluster: Path | None) -> Cluster:
    """The cluster to run on: the spec given, else the recipe's own, else (`auto`) this machine.

    This machine is its NPUs, of which ASCEND_RT_VISIBLE_DEVICES may name some, or where it has none its CPU with a
    process slot for every rank: `Cluster.is_cpu` tells. Raises SpecError for a spec that cannot be read (never a silent
    fallback to this machine), UsageError for an ASCEND_RT_VISIBLE_DEVICES or NPU_LAUNCH_ROOT that is not valid, and
    PreflightError.
    """
    if cluster is not None and (cluster != Path("auto") or cluster.exists()):
        return load_cluster(cluster)
    if cluster is None and recipe.cluster != "auto":
        return load_cluster(recipe.directory / recipe.cluster)
    here = Host(name=socket.gethostname() or "localhost", address=_LOOPBACK, devices=recipe.ranks)
    if not device_ids(machine_root()):
        return Cluster(name="this-machine", soc="CPU", hosts=(here,))
    return _own_npus(here)


def machine_root() -> Path:
    """The folder below which the machine's own files lie: NPU_LAUNCH_ROOT, where a container mounts its host's root.

    Raises UsageError when there is no such folder: its NPUs would seem to be none.
    """
    root = Path(os.environ.get("NPU_LAUNCH_ROOT") or "/")
    if not root.is_dir():
        raise UsageError(
            f"NPU_LAUNCH_ROOT is {str(root)!r}, which is no folder",
            expected="the folder at which this container has its host's root, such as /host",
            remedy="unset NPU_LAUNCH_ROOT, or mount the host's root there (docker run -v /:/host:ro)",
        )
    return root


def device_ids(root: Path) -> tuple[int, ...]:
    """Physical ids of the NPUs whose nodes are below `root`/dev."""
    try:
        return node_ids(path.name for path in (root / "dev").iterdir())
    except OSError:
        return ()


def _own_npus(here: Host) -> Cluster:
    """This machine with the NPUs that its tools report. Raises PreflightError when what they are cannot be told."""
    from launcher.hosts.discovery import discover
    from launcher.hosts.reading.request import Level, Request
    from launcher.hosts.survey import survey_hosts

    answers = survey_hosts([here], Request(level=Level.FAST), lambda _: ThisMachine())
    found = discover("this-machine", [here], answers).cluster
    devices = _visible(found.hosts[0].device_list)
    host = found.hosts[0].model_copy(update={"address": _LOOPBACK, "devices": devices})
    return found.model_copy(update={"hosts": (host,)})


def _visible(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    """Those that the launching shell shows to its processes; where it says which, a word on stderr of the nodes."""
    from launcher.hosts.visible import VARIABLE, visible_devices

    said = os.environ.get(VARIABLE)
    if said is None:
        return devices
    found = visible_devices(devices, said)
    nodes = ", ".join(f"/dev/davinci{device.id}" for device in found)
    _log.warning("npu-launch: %s=%s: of %d NPUs these are taken: %s", VARIABLE, said, len(devices), nodes)
    return found


def is_this_machine(address: str) -> bool:
    """Whether an address, or what a host name resolves to, is one of this machine's own."""
    import psutil

    try:
        found = {info[4][0] for info in socket.getaddrinfo(address, None)}
    except OSError:
        return False
    own = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries}
    return any(str(ip).startswith("127.") or str(ip) in own for ip in found)
