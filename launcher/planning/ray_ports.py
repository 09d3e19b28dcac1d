"""Every port on which the Ray of a cluster listens on its hosts: fixed, so that a firewall can be told."""

from __future__ import annotations

from typing import Final, NamedTuple

from launcher.specs.ray import DEFAULT_RAY_PORT, RAY_PORTS

__all__ = ["DEFAULT_RAY_PORT", "RayPorts", "ray_ports"]

_WORKERS: Final = 12  # how far above the first port those of the workers begin


class RayPorts(NamedTuple):
    """The complete list, as "Configuring Ray", section "Ports configurations", of Ray's documentation has it.

    Checked against what a head and a node really listen on. `dashboard_metric` has no option of its own: Ray reads
    DASHBOARD_METRIC_PORT. All are TCP; those of the head alone are `gcs`, `client_server`, `dashboard_metric` and
    `dashboard`.
    """

    gcs: int  # --port, to which every node and every driver connects first
    node_manager: int
    object_manager: int
    agent_http: int  # --dashboard-agent-listen-port
    agent_grpc: int  # --dashboard-agent-grpc-port
    runtime_env_agent: int
    metrics_export: int
    client_server: int  # cannot be switched off
    dashboard_metric: int
    dashboard: int
    workers: range  # --min-worker-port to --max-worker-port: an agent, a supervisor or a driver has one each


def ray_ports(first: int) -> RayPorts:
    """The ports of the Ray whose first port this is."""
    own = range(first, first + len(RayPorts._fields) - 1)
    return RayPorts._make([*own, range(first + _WORKERS, first + RAY_PORTS)])
