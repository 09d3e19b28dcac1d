"""The settings that Ray needs to be a quiet neighbour of training jobs, each with its reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from launcher.planning.ray_ports import RayPorts
from launcher.runs.clusters import Membership, Tls
from launcher.runs.clusters import token_path as cluster_token_path

NAMESPACE = "npu-launch"
OBJECT_STORE_BYTES = 80 << 20  # nothing is put there; Ray refuses less than 75 MiB

_SETTINGS = {
    # Ray's workers run at nice 15 and ask the OOM killer to take them first; children would inherit both.
    "RAY_worker_niceness": "0",
    "RAY_worker_oom_score_adjustment": "0",
    # A worker that ends must not take processes with it: what a run owns is the shim's to end.
    "RAY_kill_child_processes_on_worker_exit": "false",
    # Otherwise a head with a detached actor takes 30 s over SIGTERM.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    # No report to anybody, no folding of our own lines, no idle workers in stock.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    # Long polls are actor tasks: they would fill the head's memory with task events.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_enable_metrics_collection": "0",
    # Hosts with another patch release of Python understand each other.
    "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL": "minor",
}
_BETWEEN_HOSTS = {
    # A node that Ray has given up for dead must end, even if it is back a moment later; so Ray is slow to judge (20 s)
    # and our own heartbeat, which harms nobody when it errs, is quick.
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "3000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "5",
    # Seconds until the Ray of a host that has lost the head ends, to join the next one.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",
    # Milliseconds between its questions whether it still belongs to the head, which may be another since (60 s).
    "RAY_raylet_liveness_self_check_interval_ms": "5000",
}
_SLIM = (
    f"--object-store-memory={OBJECT_STORE_BYTES}",
    "--num-cpus=0",
    "--num-gpus=0",
    "--include-log-monitor=false",
    "--disable-usage-stats",
)
_SLIM_HEAD = ("--include-dashboard=false", "--no-monitor")


def ray_environment(directory: Path) -> dict[str, str]:
    """The environment for every process of this machine's own Ray, whose sockets and token lie in `directory`."""
    return _environment(token_path(directory), {})


def driver_environment(membership: Membership) -> dict[str, str]:
    """The environment for a process that connects to the Ray of a cluster.

    It keeps Ray's own patience with a head that is lost (60 s): a process that runs out of it is aborted.
    """
    token = cluster_token_path(membership.id)
    return _environment(token if token.exists() else None, _tls(membership.tls))


def node_environment(membership: Membership, ports: RayPorts) -> dict[str, str]:
    """The environment for `ray start` on a host of a cluster; everything of Ray there has it too."""
    metric = {"DASHBOARD_METRIC_PORT": str(ports.dashboard_metric)}  # which no option sets
    return {**driver_environment(membership), **_BETWEEN_HOSTS, **metric}


def token_path(directory: Path) -> Path:
    """The file (mode 0600) with the token that every connection to this machine's own Ray must show."""
    return directory / "token"


def session_directory(directory: Path) -> Path:
    """Ray's temporary folder: at most 42 bytes long, because Ray puts unix sockets deep below it."""
    return directory / "r"


def start_command(python: str, directory: Path, ports: tuple[int, int, int]) -> list[str]:
    """`ray start --head` in the foreground, on loopback, with nothing that a supervisor has no use for."""
    gcs, agent, dashboard = ports
    return [
        *_start(python, directory, "127.0.0.1"),
        *("--head", *_SLIM_HEAD, f"--port={gcs}", f"--dashboard-port={dashboard}"),
        *(f"--dashboard-agent-listen-port={agent}", "--min-worker-port=0", "--max-worker-port=0"),
    ]


def head_command(python: str, directory: Path, ip: str, ports: RayPorts, *, has_client: bool) -> list[str]:
    """`ray start --head` for a cluster; with Ray's client installed, its server cannot be switched off."""
    return [
        *_start(python, directory, ip),
        *("--head", *_SLIM_HEAD, f"--port={ports.gcs}", f"--dashboard-port={ports.dashboard}"),
        *([f"--ray-client-server-port={ports.client_server}"] if has_client else []),
        *_fixed(ports),
    ]


def node_command(python: str, directory: Path, ip: str, ports: RayPorts, address: str) -> list[str]:
    """`ray start` for a host that joins the cluster whose head is at `address`."""
    return [*_start(python, directory, ip), f"--address={address}", *_fixed(ports)]


def _environment(token: Path | None, more: Mapping[str, str]) -> dict[str, str]:
    """Ours with the settings, without those of another Ray (RAY_ADDRESS, RAY_TMPDIR, ...), which would join it.

    Ray listens on every address, whatever address it is given: nobody talks to ours without its token.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    shown = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)} if token else {}
    return {**kept, **_SETTINGS, **shown, **more}


def _tls(tls: Tls | None) -> dict[str, str]:
    if tls is None:
        return {}
    return {
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": tls.server_cert,
        "RAY_TLS_SERVER_KEY": tls.server_key,
        "RAY_TLS_CA_CERT": tls.ca_cert,
    }


def _start(python: str, directory: Path, ip: str) -> list[str]:
    return [
        *(python, "-m", "ray.scripts.scripts", "start", "--block"),
        *(f"--temp-dir={session_directory(directory)}", f"--node-ip-address={ip}", *_SLIM),
    ]


def _fixed(ports: RayPorts) -> list[str]:
    return [
        f"--node-manager-port={ports.node_manager}",
        f"--object-manager-port={ports.object_manager}",
        f"--dashboard-agent-listen-port={ports.agent_http}",
        f"--dashboard-agent-grpc-port={ports.agent_grpc}",
        f"--runtime-env-agent-port={ports.runtime_env_agent}",
        f"--metrics-export-port={ports.metrics_export}",
        f"--min-worker-port={ports.workers[0]}",
        f"--max-worker-port={ports.workers[-1]}",
    ]
