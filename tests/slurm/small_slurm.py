"""A Slurm of this machine's own: munged, slurmctld and a slurmd for each node, on loopback, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

PREFIX = "npu-launch-slurm-"
_UNENDED = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue")


def missing() -> str:
    """Why no Slurm can be started here; nothing when one can."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed (apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "Slurm's daemons are started as root"


class SmallSlurm:
    """Nodes `node1`, `node2`, ... which all are this machine; `close` ends every process that was started."""

    def __init__(self, nodes: int) -> None:
        sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.folder.chmod(0o755)
        me = psutil.Process()
        (self.folder / "owner").write_text(f"{me.pid} {me.create_time()}")
        self.daemons: list[subprocess.Popen[bytes]] = []
        try:
            self._start(nodes)
        except BaseException:
            self.close()
            raise

    def _start(self, nodes: int) -> None:
        key, munge_socket = self.folder / "munge.key", self.folder / "munge.socket"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._daemon(
            "munged",
            *("--foreground", f"--key-file={key}", f"--socket={munge_socket}", f"--pid-file={self.folder}/munged.pid"),
            *(f"--log-file={self.folder}/munged.log", f"--seed-file={self.folder}/munged.seed"),
        )
        ports = _free_ports(nodes + 1)
        names = [f"node{number + 1}" for number in range(nodes)]
        (self.folder / "slurm.conf").write_text(_configuration(self.folder, ports[0], ports[1:], names))
        # None of the plugins above uses cgroups, but slurmd wants a kind: this one needs nothing.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        self.wait(munge_socket.exists, "munged listens")
        self._daemon("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        for name in names:
            self._daemon("slurmd", "-D", "-N", name, "-f", str(self.folder / "slurm.conf"))
        self.wait(lambda: self.run("sinfo", "-h", "-o", "%T").split() == ["idle"], "the nodes are idle")

    @property
    def environment(self) -> dict[str, str]:
        """What Slurm's commands need."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        return kept | {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """What a command of Slurm writes."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, cwd=self.folder, timeout=60
        )
        return done.stdout

    def start(self, script: Path, *options: str) -> str:
        """Submit a batch script: the job's id."""
        submitted = subprocess.run(
            ["sbatch", "--parsable", *options, str(script)],
            env=self.environment,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=30,
        )
        assert submitted.returncode == 0, submitted.stderr
        return submitted.stdout.strip()

    def outcome(self, job: str) -> tuple[str, str]:
        """Once a job has ended, its state, and what its script wrote."""
        self.wait(lambda: self._state(job) not in _UNENDED, f"job {job} has ended", 60)
        return self._state(job), (self.folder / f"slurm-{job}.out").read_text()

    def finish(self, script: Path, *options: str) -> tuple[str, str, str]:
        """Run a batch script to its end: the job's id, its state, and what it wrote."""
        job = self.start(script, *options)
        return job, *self.outcome(job)

    def _state(self, job: str) -> str:
        words = self.run("scontrol", "show", "job", job).split()
        return next((word.partition("=")[2] for word in words if word.startswith("JobState=")), "")

    def _daemon(self, program: str, *arguments: str) -> None:
        output = (self.folder / f"{program}-{len(self.daemons)}.out").open("wb")
        command = [_program(program) or program, *arguments]
        self.daemons.append(
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder, env=self.environment
            )
        )
        (self.folder / f"{len(self.daemons)}.pid").write_text(str(self.daemons[-1].pid))

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = 30) -> None:
        """Wait until something is so, and all daemons are alive."""
        deadline = time.monotonic() + timeout
        while not condition():
            ended = [daemon.args for daemon in self.daemons if daemon.poll() is not None]
            assert not ended, f"ended: {ended}\n{self._logs()}"
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}\n{self._logs()}"
            time.sleep(0.05)

    def _logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in sorted(self.folder.glob("*.out")))

    def close(self) -> None:
        """End the daemons, and what they had started."""
        for daemon in reversed(self.daemons):
            _end(daemon.pid)
            daemon.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep() -> None:
    """End what tests that were killed have left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _has_owner(folder):
            continue
        for file in folder.glob("[0-9]*.pid"):
            pid = int(file.read_text() or 0)
            if pid and psutil.pid_exists(pid) and any(str(folder) in word for word in psutil.Process(pid).cmdline()):
                _end(pid)
        shutil.rmtree(folder, ignore_errors=True)


def _has_owner(folder: Path) -> bool:
    """Whether the process that made the folder is there still; a folder without a note is just being made."""
    try:
        pid, created = (folder / "owner").read_text().split()
        return psutil.Process(int(pid)).create_time() == float(created)
    except psutil.NoSuchProcess:
        return False
    except (OSError, ValueError):
        return True


def _end(pid: int) -> None:
    try:
        daemon = psutil.Process(pid)
        started = [daemon, *daemon.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in started:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin")


def _free_ports(number: int) -> Sequence[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _configuration(folder: Path, control: int, ports: Sequence[int], names: Sequence[str]) -> str:
    host = socket.gethostname().partition(".")[0]
    for name in names:
        (folder / name).mkdir()
    (folder / "state").mkdir()
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 State=UNKNOWN"
        for name, port in zip(names, ports, strict=True)
    )
    return f"""\
ClusterName=npu-launch-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
KillWait=2
MinJobAge=300
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=10 State=UP
"""
