"""The settings that Ray needs to be a quiet neighbour of training jobs, each with its reason."""

from __future__ import annotations

import os
from pathlib import Path

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
    # Ray listens on every address, whatever address it is given: nobody talks to it without our token.
    "RAY_AUTH_MODE": "token",
    # No report to anybody, no folding of our own lines, no idle workers in stock.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    # Long polls are actor tasks: they would fill the head's memory with task events.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_enable_metrics_collection": "0",
}


def ray_environment(directory: Path) -> dict[str, str]:
    """The environment for every process of the Ray whose sockets and token lie in `directory`.

    Settings of another Ray in the caller's environment (RAY_ADDRESS, RAY_TMPDIR, ...) are dropped: they would join it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, **_SETTINGS, "RAY_AUTH_TOKEN_PATH": str(token_path(directory))}


def token_path(directory: Path) -> Path:
    """The file (mode 0600) with the token that every connection to this Ray must show."""
    return directory / "token"


def session_directory(directory: Path) -> Path:
    """Ray's temporary folder: at most 42 bytes long, because Ray puts unix sockets deep below it."""
    return directory / "r"


def start_command(python: str, directory: Path, ports: tuple[int, int, int]) -> list[str]:
    """`ray start --head` in the foreground, on loopback, with nothing that a supervisor has no use for."""
    gcs, agent, dashboard = ports
    return [
        *(python, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        f"--port={gcs}",
        f"--dashboard-agent-listen-port={agent}",
        f"--dashboard-port={dashboard}",
        f"--temp-dir={session_directory(directory)}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        "--node-ip-address=127.0.0.1",
        "--num-cpus=0",
        "--num-gpus=0",
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--include-dashboard=false",
        "--include-log-monitor=false",
        "--disable-usage-stats",
        "--no-monitor",
    ]
