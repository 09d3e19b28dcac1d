"""A cluster of machines from nothing to ranks that run, what that costs each machine, and torchrun on the same."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.processes import cpu_seconds, pss_mib
from tests.fleet.site import JOB, Site
from tests.machines import Machine, Machines

RANKS_A_HOST = 2
_CLUSTER = f"{JOB}/cluster.yaml"
_PATIENCE = 120.0  # seconds
_REST = 10.0  # seconds of which processor time is taken
_SCRIPT = "import os, time\nos.write(1, b'first line %f\\n' % time.time())\ntime.sleep(3600)\n"
_TORCHRUN = (
    "for host; do ssh $host {torchrun} --nnodes={hosts} --nproc-per-node={ranks} --rdzv-backend=c10d "
    "--rdzv-id=bench --rdzv-endpoint=node-1:29400 {script} & done; wait"
)

_RAY_REST = "Ray: its agents, dashboard, ray start"

# What a process is, by a part of its command line: whose it is, and what it is called. The first that fits counts.
_ROLES = (
    ("launcher/supervise/shim", "ours: shim"),
    ("ray::Agent", "ours: agent"),
    ("ray::SupervisorActor", "ours: supervisor"),
    ("launcher.supervise.keeper", "ours: keeper"),
    ("launcher.supervise.on_ray.head", "ours: keeps Ray up"),
    ("launcher.supervise.on_ray.node", "ours: keeps Ray up"),
    ("raylet/raylet", "Ray: raylet"),
    ("gcs_server", "Ray: GCS"),
    ("ray::DashboardAgent", _RAY_REST),
    ("ray::RuntimeEnvAgent", _RAY_REST),
    ("ray/dashboard/dashboard.py", _RAY_REST),
    ("ray.scripts.scripts start", _RAY_REST),
    ("torchrun", "torchrun: agent"),
)


class Figures(dict[str, float]):
    """Seconds, MiB and percent, by what they are of."""

    def time(self, name: str, work: Callable[[], object]) -> None:
        began = time.monotonic()
        work()
        self[name] = time.monotonic() - began


def measure(hosts: int, torchrun: Path | None) -> tuple[Figures, Figures]:
    """Everything about a cluster of so many hosts: what npu-launch takes, and what torchrun does."""
    names = [f"node-{number + 1}" for number in range(hosts)]
    with Machines(*names) as machines:
        site = Site(machines, names, slots=RANKS_A_HOST, python=None)
        library = Path(__file__).resolve().parents[1] / "launcher"
        machines.laptop.run(sys.executable, "-m", "compileall", "-q", library, timeout=300)
        return _ours(site), _theirs(site, torchrun) if torchrun is not None else Figures()


def _ours(site: Site) -> Figures:
    found = Figures()
    recipe = site.recipe(_SCRIPT, ranks=RANKS_A_HOST * len(site.hosts), grace=1)
    found.time("up, bare hosts", lambda: _command(site, "up", _CLUSTER))
    found.time("up again, nothing to do", lambda: _command(site, "up", _CLUSTER))
    found.time("down", lambda: _command(site, "down", _CLUSTER))
    found.time("up, environments are there", lambda: _command(site, "up", _CLUSTER))
    for name in ("launch, first", "launch"):
        began = time.time()
        run = _command(site, "run", recipe, "-c", _CLUSTER, "-d")
        found[f"{name}: until `run -d` is back"] = time.time() - began
        found[f"{name}: to the last rank's first line"] = _last_first_line(site, run) - began
        if name == "launch":
            found |= _cost(site)
        _command(site, "stop", run)
    _command(site, "down", _CLUSTER)
    return found


def _theirs(site: Site, torchrun: Path) -> Figures:
    found = Figures()
    count = len(site.hosts)
    script = Path(site.write("payload.py", _SCRIPT))
    for name in site.hosts:  # it has to be there beforehand
        place = site.machines[name].path(str(script))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_SCRIPT)
    loop = _TORCHRUN.format(torchrun=torchrun, hosts=count, ranks=RANKS_A_HOST, script=script)
    for name in ("launch, first", "launch"):
        began = time.time()
        argv = site.machines.laptop.entering("sh", "-c", loop, "sh", *site.hosts)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(RANKS_A_HOST * count)]
            found[f"{name}: to the last rank's first line"] = max(float(line.split()[2]) for line in lines) - began
            if name == "launch":
                found |= _cost(site)
            for machine in _hosts(site):
                _kill(machine, "torchrun", "payload.py")
    return found


def _command(site: Site, *arguments: str) -> str:
    done = site.npu_launch(*arguments, timeout=300)
    assert done.code == 0 or arguments[0] == "stop", done.err
    return done.out.strip()


def _last_first_line(site: Site, run: str) -> float:
    deadline = time.monotonic() + _PATIENCE
    found: dict[int, float] = {}
    while len(found) < RANKS_A_HOST * len(site.hosts):
        assert time.monotonic() < deadline, site.tail(run)
        for rank in range(RANKS_A_HOST * len(site.hosts)):
            if (words := site.log(site.hosts[rank // RANKS_A_HOST], run, rank).split()) and len(words) == 3:
                found[rank] = float(words[2])
        time.sleep(0.02)
    return max(found.values())


def _cost(site: Site) -> Figures:
    """Memory and processor time, a while after the launch: of the head, and of another host on average."""
    time.sleep(_REST)  # what has been started comes to rest
    hosts = _hosts(site)
    before = [_by_role(machine) for machine in hosts]
    spent = [{role: cpu_seconds(pids) for role, pids in found.items()} for found in before]
    time.sleep(_REST)
    found = Figures()
    for number, roles in enumerate(before):
        where = "head" if number == 0 else "another host"
        share = 1 if number == 0 else 1 / (len(hosts) - 1)
        for role, pids in roles.items():
            used = (cpu_seconds(pids) - spent[number][role]) / _REST * 100
            for kind, value in (("memory", pss_mib(pids)), ("idle CPU", used)):
                for name in {role, f"{role.partition(':')[0]}: together"}:
                    figure = f"{kind}, {where}, {name}"
                    found[figure] = found.get(figure, 0.0) + share * value
    return found


def _by_role(machine: Machine) -> Mapping[str, Iterable[int]]:
    found: dict[str, list[int]] = {}
    for process in machine.processes():
        with suppress(psutil.Error):
            line = " ".join(process.cmdline()) or process.name()
            if role := next((role for part, role in _ROLES if part in line), None):
                found.setdefault(role, []).append(process.pid)
    return found


def _kill(machine: Machine, *parts: str) -> None:
    for process in machine.processes():
        with suppress(psutil.Error):
            if any(part in " ".join(process.cmdline()) for part in parts):
                process.kill()


def _hosts(site: Site) -> list[Machine]:
    return [site.machines[name] for name in site.hosts]
