"""A Ray of several nodes on this machine, each a host of a cluster: what spans hosts, without hosts."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from launcher.runs.clusters import Member, Membership, cluster_id, token_path, write_membership
from launcher.runs.home import make_runtime_directory, remove_runtime_directory, write_file
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, Host, load_recipe
from launcher.supervise.launch import begin
from launcher.supervise.on_ray.settings import OBJECT_STORE_BYTES, driver_environment
from launcher.supervise.sights import Sights
from tests.end_to_end import wait_for

_APART = [
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"),
    # The first process outlives Ray, and its end is the end of all others.
    'mount -t tmpfs none "$NPU_LAUNCH_CLAIMS"; mount -t tmpfs -o mode=700 none "$SOCKETS"; "$@" & exec sleep infinity',
    "sh",
]

# Ray gives up a node that has not answered for 15 s, which on a machine that starts many takes no fault.
_PATIENT = {"RAY_health_check_failure_threshold": "40"}


class VirtualNodes:
    """Hosts node-0, node-1, ... at 127.0.0.2 and up, each with a node of Ray that we keep; the first has the head.

    They share their files, but for sockets and the locks on what a machine has. Each but the first has processes of its
    own (unshare(1), which needs root). Where they are `many`, one is started at a time, and Ray is patient with them.
    """

    def __init__(self, count: int, slots: int, *, many: bool = False) -> None:
        hosts = [Host(name=f"node-{n}", address=f"127.0.0.{n + 2}", devices=slots) for n in range(count)]
        self.cluster = Cluster(name="virtual", soc="CPU", hosts=tuple(hosts))
        self._folder = tempfile.TemporaryDirectory(prefix="nl-ray-")
        self._address = Path(self._folder.name, hosts[0].name, "ray_current_cluster")
        self._membership = Membership(
            cluster=self.cluster.name,
            id=cluster_id(self.cluster),
            head=hosts[0].name,
            me=hosts[0].name,
            members=tuple(Member(name=host.name, ip=host.address) for host in hosts),
            port=0,
            stay=True,
            python=sys.executable,
        )
        write_file(token_path(self._membership.id), secrets.token_hex(32))
        self._many = many
        self._runs: list[RunDirectory] = []
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._again: list[subprocess.Popen[bytes]] = []  # where there had been one before
        for host in hosts:
            self.add(host.name)

    def run(self, recipe: Path) -> RunDirectory:
        """Begin a run on them."""
        run, _ = begin(load_recipe(recipe), self.cluster, "virtual", Sights(), {})
        wait_for(run.is_supervised, "the run has a keeper")
        self._runs.append(run)
        return run

    def add(self, name: str) -> None:
        """Start the node of a host; where it is the head, return when Ray can be held."""
        is_head = name == self._membership.head
        address = "" if is_head else self._address.read_text().strip()
        patience = _PATIENT if self._many else {}
        inside = psutil.Process(self._nodes[name].pid).children()[0].pid if name in self._nodes else None
        node = subprocess.Popen(
            [
                *([] if is_head else _APART if inside is None else ["nsenter", f"-t{inside}", "--mount", "--pid"]),
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                *(["--head", "--port=0", "--include-dashboard=false", "--no-monitor"] if is_head else []),
                *([] if is_head else [f"--address={address}"]),
                f"--node-ip-address={self._membership.ip(name)}",
                f"--temp-dir={self._folder.name}/{name}",
                f"--object-store-memory={OBJECT_STORE_BYTES}",
                *("--num-cpus=0", "--num-gpus=0", "--min-worker-port=0", "--max-worker-port=0"),
                *("--dashboard-agent-listen-port=0", "--include-log-monitor=false", "--disable-usage-stats"),
            ],
            env={**driver_environment(self._membership), **patience, "SOCKETS": str(make_runtime_directory())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if inside is None:
            self._nodes[name] = node
            if self._many:
                wait_for(lambda: _has_raylet(node.pid), f"the raylet of {name} is there", 120)
        else:
            self._again.append(node)
        if is_head:
            wait_for(lambda: self._address.exists() and bool(self._address.read_text()), "Ray's head is up")
            external = self._address.read_text().strip()
            write_membership(self._membership.model_copy(update={"external": external}))

    def power_off(self, name: str) -> None:
        """Nothing of a host lives any more."""
        node = self._nodes.pop(name)
        node.kill()
        node.wait()

    def kill_ray(self, name: str) -> None:
        """Ray's processes of a host are killed; the shim and its ranks live."""
        node = psutil.Process(self._nodes[name].pid)
        is_head = name == self._membership.head
        found = [node] if is_head else [child for first in node.children() for child in first.children()]
        found = [process for process in found if not _is_shim(process)]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                found += [child for child in process.children() if not _is_shim(child)]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if is_head:
            self._nodes.pop(name).wait()
            self._address.unlink()

    def suspend(self, name: str) -> None:
        """No process of a host does anything, although their connections stay."""
        for process in psutil.Process(self._nodes[name].pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        for process in psutil.Process(self._nodes[name].pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)

    def ranks(self, name: str) -> set[str]:
        """The ranks of which a host that lives apart has processes."""
        found = set()
        for process in psutil.Process(self._nodes[name].pid).children(recursive=True):
            with suppress(psutil.Error):
                found.add(process.environ().get("NPU_LAUNCH_RANK", ""))
        return found - {""}

    def memory(self) -> int:
        """Bytes that all processes of hosts that live apart take, shims, agents and ranks with them (PSS)."""
        found = 0
        for node in self._nodes.values():
            for process in psutil.Process(node.pid).children(recursive=True):
                with suppress(psutil.Error):
                    found += process.memory_full_info().pss
        return found

    def close(self) -> None:
        for run in self._runs:
            if run.state().ended is not None:  # then shims are told to leave, by who supervises on Ray
                wait_for(partial(_is_left, run), "the run is left")
        if self._membership.head in self._nodes:
            self.kill_ray(self._membership.head)
        for name in list(self._nodes):
            self.power_off(name)
        for node in self._again:
            node.wait()
        self._folder.cleanup()
        remove_runtime_directory()


def _is_shim(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(part.endswith("/supervise/shim") for part in process.cmdline())
    return False


def _has_raylet(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(process.name() == "raylet" for process in psutil.Process(pid).children(recursive=True))
    return False


def _is_left(run: RunDirectory) -> bool:
    return not run.is_supervised()
