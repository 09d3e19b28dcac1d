"""What `ray start` is called with on this machine: its command, its environment, and the ports it needs."""

from __future__ import annotations

import importlib.util
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import InfrastructureError
from launcher.planning.ray_ports import ray_ports
from launcher.runs.clusters import Membership, cluster_directory, read_membership, token_path
from launcher.supervise.on_ray import settings
from launcher.supervise.on_ray.trust import context_of


@dataclass(frozen=True)
class Terms:
    """Ray has to be started anew when they change. `head` is where its head listens."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    head: tuple[str, int]
    ports: tuple[int, ...] = ()  # that must be free
    token: bytes = b""


def local_terms(directory: Path) -> Terms:
    """For a Ray of this machine alone: ports that are free, and a new token, which is written."""
    gcs, agent, dashboard, metrics = _free_ports(4)
    token = os.open(settings.token_path(directory), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(token, secrets.token_hex(32).encode())
    os.close(token)
    environment = settings.ray_environment(directory)
    environment["DASHBOARD_METRIC_PORT"] = str(metrics)  # a fixed port on every address otherwise
    argv = settings.start_command(sys.executable, directory, (gcs, agent, dashboard))
    return Terms(tuple(argv), environment, ("127.0.0.1", gcs))


def cluster_terms(membership: Membership, directory: Path) -> Terms:
    """For this host's part in the Ray of a cluster.

    Raises InfrastructureError when the token is not there, or when certificates cannot be used.
    """
    ports = ray_ports(membership.port)
    head, mine = membership.ip(membership.head), membership.ip(membership.me)
    own: tuple[int, ...] = ports[:-1]
    if membership.is_head:
        has_client = importlib.util.find_spec("grpc") is not None  # which is how Ray tells
        argv = settings.head_command(sys.executable, directory, mine, ports, has_client=has_client)
    else:
        argv = settings.node_command(sys.executable, directory, mine, ports, cluster_address(membership))
        own = tuple(set(own) - {ports.gcs, ports.client_server, ports.dashboard_metric, ports.dashboard})
    try:
        token = token_path(membership.id).read_bytes()
    except OSError as error:
        raise InfrastructureError(
            f"the token of the cluster's Ray cannot be read: {error.strerror or error}",
            where=str(token_path(membership.id)),
            remedy="npu-launch up CLUSTER writes it anew",
        ) from error
    if membership.tls is not None:
        context_of(membership.tls)
    environment = settings.node_environment(membership, ports)
    return Terms(tuple(argv), environment, (head, ports.gcs), tuple(sorted(own)), token)


def own_membership(cluster: str) -> Membership:
    """What this host knows of the cluster with this id. Raises InfrastructureError when it does not belong to it."""
    membership = read_membership(cluster)
    if membership is None:
        raise InfrastructureError(
            f"this host does not belong to the cluster {cluster}",
            where=str(cluster_directory(cluster)),
            remedy="npu-launch up CLUSTER",
        )
    return membership


def cluster_address(membership: Membership) -> str:
    """Where the Ray of the cluster is reached."""
    return membership.external or address(membership.ip(membership.head), ray_ports(membership.port).gcs)


def address(ip: str, port: int) -> str:
    """`IP:PORT`, as Ray writes it."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on right now, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
