"""How each launcher is told to run the payload as 8 local ranks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from processes import command_line

from launcher.runs.home import runtime_path

HERE = Path(__file__).resolve().parent
PAYLOAD = HERE / "payload.py"
RANKS = 8
GRACE = 2.0  # seconds between SIGTERM and SIGKILL, where a launcher lets its user choose


@dataclass(frozen=True)
class Job:
    """What a launcher is to run, and where; `base` is the short folder that all jobs of a session share."""

    mode: str
    directory: Path
    base: Path
    argument: str = ""
    restarts: int = 0
    log_mode: str = ""

    @property
    def payload(self) -> list[str]:
        """The payload's arguments."""
        return [self.mode, str(self.directory), *([self.argument] if self.argument else [])]


@dataclass(frozen=True)
class LogMode:
    """A way to keep logs: of how many ranks the console shows the lines, and whether files hold those of all."""

    name: str
    console_ranks: int
    files: bool


@dataclass(frozen=True)
class Victim:
    """A process of a launcher whose sudden death is tried out; known by a part of its command, or else the command."""

    name: str
    part: str = ""
    settled: bool = False  # whether it is there only when the launcher has settled

    def find(self, command: int, others: Iterable[int]) -> int | None:
        """Its pid, among the launcher's processes."""
        if not self.part:
            return command
        return next((pid for pid in others if self.part in command_line(pid).split(" --")[0]), None)


class Peer(ABC):
    """One launcher."""

    name = ""
    restarts = False
    log_modes: tuple[LogMode, ...] = ()
    victims: tuple[Victim, ...] = (Victim("the command"),)

    def missing(self) -> str | None:
        """Why this launcher cannot be measured here, or None."""
        return None

    @abstractmethod
    def command(self, job: Job) -> list[str]:
        """The command that runs the job in the foreground."""

    def environment(self, job: Job) -> Mapping[str, str]:  # noqa: ARG002
        """Variables to add to those of the shell."""
        return {}

    def open(self, base: Path, environment: Mapping[str, str]) -> None:
        """Start what must be up before."""

    def close(self) -> None:
        """End what `open` started."""

    def clean(self, job: Job) -> None:
        """Remove what a job that was killed left outside its folder."""

    def log_files(self, job: Job) -> list[Path]:
        """Files with what the ranks wrote."""
        return [path for path in (job.directory / "logs").glob("**/*") if path.is_file()]

    def has_settled(self, job: Job) -> bool:  # noqa: ARG002
        """Whether the launcher has come to rest beside its ranks."""
        return True

    def is_ray(self, pid: int) -> bool:  # noqa: ARG002
        """Whether a process is Ray's own, rather than ours in Ray."""
        return False


class Floor(Peer):
    """The least that it takes."""

    name = "floor"
    restarts = True
    log_modes = (LogMode("files", console_ranks=0, files=True),)

    def command(self, job: Job) -> list[str]:
        options = [f"--ranks={RANKS}", f"--restarts={job.restarts}", f"--grace={GRACE}", f"--logs={job.directory}/logs"]
        return [sys.executable, str(HERE / "floor.py"), *options, str(PAYLOAD), *job.payload]


class Torchrun(Peer):
    """PyTorch's launcher, from the environment that TORCH_VENV names."""

    name = "torchrun"
    restarts = True
    log_modes = (LogMode("console", RANKS, files=False), LogMode("-t 3", RANKS, files=True))
    variable = "TORCH_VENV"
    options: tuple[str, ...] = ()

    def missing(self) -> str | None:
        return missing_program(self.name, self.variable)

    def command(self, job: Job) -> list[str]:
        options = ["--standalone", f"--nproc-per-node={RANKS}", f"--max-restarts={job.restarts}", *self.options]
        if job.log_mode == "-t 3":
            options += ["-t", "3", f"--log-dir={job.directory}/logs"]
        return [str(program(self.name, self.variable)), *options, str(PAYLOAD), *job.payload]

    def environment(self, job: Job) -> Mapping[str, str]:
        """Its sockets and folders go with the trial, also when it is killed."""
        return {"TMPDIR": str(job.directory)}


class FtLauncher(Torchrun):
    """NVIDIA's launcher: torchrun's, with a process beside every rank that waits for its heartbeats.

    From the environment that NVRX_VENV names. The payload sends no heartbeats, and is given all the time for that.
    """

    name = "ft_launcher"
    variable = "NVRX_VENV"
    options = (
        "--ignore-missing-fault-tol-cfg",
        "--ft-initial-rank-heartbeat-timeout=inf",
        "--ft-rank-heartbeat-timeout=inf",
        f"--workers-stop-timeout={GRACE}",
    )


class Msrun(Peer):
    """MindSpore's launcher, from the environment that MINDSPORE_VENV names, or the running one."""

    name = "msrun"
    log_modes = (LogMode("files", RANKS, files=True),)

    def missing(self) -> str | None:
        return missing_program("msrun", "MINDSPORE_VENV")

    def command(self, job: Job) -> list[str]:
        return [*self._launcher(job), str(PAYLOAD), *job.payload]

    def _launcher(self, job: Job) -> list[str]:
        """The command without the script."""
        options = [f"--worker_num={RANKS}", f"--local_worker_num={RANKS}", f"--master_port={free_port()}"]
        options += [f"--log_dir={job.directory}/logs", "--join=True"]
        return [str(program("msrun", "MINDSPORE_VENV")), *options]

    def environment(self, job: Job) -> Mapping[str, str]:  # noqa: ARG002
        msrun = program("msrun", "MINDSPORE_VENV")  # it calls plain `python`
        return {"PATH": f"{msrun.parent if msrun else ''}:{os.environ.get('PATH', '')}"}


class NpuLaunch(Peer):
    """npu-launch with nothing of it running before: Ray comes up while the ranks already run."""

    name = "npu-launch"
    restarts = True
    log_modes = (LogMode("files", console_ranks=1, files=True),)
    victims: tuple[Victim, ...] = (
        Victim("the command"),
        Victim("the keeper", "supervise.keeper"),
        Victim("the shim", "supervise/shim"),
    )

    def missing(self) -> str | None:
        return missing_program("npu-launch", "NPU_LAUNCH_VENV")

    def command(self, job: Job) -> list[str]:
        recipe = job.directory / "recipe.yaml"
        recipe.write_text(
            f"name: {job.directory.name}\nframework: plain\nranks: {RANKS}\ngrace: {GRACE}\n"
            f"script: {json.dumps(str(PAYLOAD))}\nargs: {json.dumps(job.payload)}\n"
            f"restart: {{policy: {'group' if job.restarts else 'never'}, max_restarts: {job.restarts}}}\n",
            encoding="utf-8",
        )
        return [str(program("npu-launch", "NPU_LAUNCH_VENV")), "run", str(recipe)]

    def environment(self, job: Job) -> Mapping[str, str]:
        return self._home(job.directory / "home")

    def log_files(self, job: Job) -> list[Path]:
        return [log for run in self._runs(job) for log in run.glob("attempts/*/ranks/*/stdout.log")]

    def has_settled(self, job: Job) -> bool:
        """Whether the supervisor on Ray has taken the run over."""
        lines = [line for run in self._runs(job) for line in (run / "events.jsonl").read_text().splitlines()]
        return any('"supervisor_changed"' in line and '"ray"' in line for line in lines)

    def is_ray(self, pid: int) -> bool:
        """All but our own processes and our own actors, which Ray's workers are."""
        ours = ("bin/npu-launch", "launcher.supervise", "supervise/shim", "ray::SupervisorActor", "ray::Agent")
        return not any(part in command_line(pid).split(" --")[0] for part in ours)

    def status(self, job: Job) -> str:
        """What `npu-launch status` says of the job's run: its phase, or the exit code when it cannot say."""
        [run] = self._runs(job)
        command = [str(program("npu-launch", "NPU_LAUNCH_VENV")), "status", run.name, "--json"]
        environment = dict(os.environ, **self.environment(job))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return str(json.loads(done.stdout)["phase"]) if done.stdout else f"exit code {done.returncode}"

    def clean(self, job: Job) -> None:
        """Remove the sockets of a job that was killed with all that kept it."""
        shutil.rmtree(runtime_path(Path(self.environment(job)["NPU_LAUNCH_HOME"])), ignore_errors=True)

    def _runs(self, job: Job) -> list[Path]:
        """The run directories of the job: the recipe has the job's name."""
        runs = Path(self.environment(job)["NPU_LAUNCH_HOME"]) / "runs"
        return list(runs.glob(f"{job.directory.name}-*"))

    def _home(self, home: Path) -> dict[str, str]:
        return {"NPU_LAUNCH_HOME": str(home)}


class NpuLaunchWarm(NpuLaunch):
    """npu-launch after `npu-launch up`."""

    name = "npu-launch-warm"
    victims = (
        Victim("the supervisor on Ray", "ray::SupervisorActor", settled=True),
        Victim("Ray's raylet", "/raylet", settled=True),
    )

    def open(self, base: Path, environment: Mapping[str, str]) -> None:
        """Bring Ray up under a home of its own; raises RuntimeError when it does not come."""
        self._up = {**environment, **self._home(base / "warm")}
        self._tell("up")

    def close(self) -> None:
        self._tell("down")
        shutil.rmtree(runtime_path(Path(self._up["NPU_LAUNCH_HOME"])), ignore_errors=True)

    def clean(self, job: Job) -> None:
        """Nothing: other jobs share the home."""

    def environment(self, job: Job) -> Mapping[str, str]:
        return self._home(job.base / "warm")

    def _tell(self, command: str) -> None:
        argv = [str(program("npu-launch", "NPU_LAUNCH_VENV")), command]
        done = subprocess.run(argv, env=self._up, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            raise RuntimeError(f"npu-launch {command}: exit code {done.returncode}: {done.stderr.strip()}")


ALL: tuple[Peer, ...] = (Floor(), Torchrun(), FtLauncher(), Msrun(), NpuLaunch(), NpuLaunchWarm())


def program(name: str, variable: str) -> Path | None:
    """A launcher's command: of the environment that the variable names, or else of the running one."""
    named = os.environ.get(variable)
    path = (Path(named) / "bin" if named else Path(sys.executable).parent) / name
    return path.absolute() if shutil.which(path) else None


def missing_program(name: str, variable: str) -> str | None:
    """Why there is no such command, or None."""
    if program(name, variable) is not None:
        return None
    where = f"{variable}={os.environ[variable]}" if variable in os.environ else f"this environment; set {variable}"
    return f"no {name} in {where}"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
