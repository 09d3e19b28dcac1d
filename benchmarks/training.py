"""Measures what a person waits for in a real MindSpore job: from the launch to training, and from a fault to training.

    python benchmarks/training.py [--repeats 3] [--peers npu-launch-prewarm-on,msrun,...] [--json FILE]

The recipe `resnext_8p` as 8 processes on the CPU, made smaller: under npu-launch with and without prewarming, and the
same script with the same arguments under msrun. Prints one Markdown table; what is going on goes to stderr.
NPU_LAUNCH_VENV and MINDSPORE_VENV name virtual environments that hold MindSpore; without them it is the running one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import psutil
from command import Figures, Results, add_options, available, brief, exit_on_signals, keep, report, say
from machine import describe, wait_until_calm
from payload import FAULTY_RANK
from peers import HERE, RANKS, Job, Msrun, NpuLaunch, Peer, missing_program, program
from tables import Value
from trial import Session, Trial, TrialError, new_base

from launcher.logs.follow import Follower
from launcher.specs import FrozenMap, load_recipe

RECIPE = HERE.parent / "recipes" / "resnext_8p.yaml"

# Little before the first step, a checkpoint soon, and more steps of 32 images than a trial lives to see.
_CHANGES = ("args.train_images=6400", "args.eval_images=32", "args.epochs=1", "args.checkpoint_every=4")
_FAULT_AFTER = 6  # steps
_AGAIN = "`kill -9` of a rank"
_BUILT = b"training: epochs: "  # imported, met the other ranks, made the network; what follows is compilation
_STEP = b"loss is "
_RESUMED = b"resumed from: "
_PATIENCE = 300.0  # seconds for the steps before the fault: graphs are compiled in silence
_END_PATIENCE = 120.0  # seconds for a launcher to end after a fault

_COMPARED = (
    ("npu-launch-prewarm-on", "npu-launch-prewarm-off"),
    ("npu-launch-prewarm-on", "msrun"),
    ("npu-launch-prewarm-off", "msrun"),
)


class Trainer(Peer):
    """A launcher that runs the recipe's script."""

    @abstractmethod
    def log(self, job: Job, attempt: int, rank: int) -> Path | None:
        """The file that a rank's lines go to; None while that cannot be told."""

    @abstractmethod
    def pid(self, trial: Trial, rank: int) -> int:
        """The process of a rank."""


class NpuLaunchTrainer(NpuLaunch, Trainer):
    """npu-launch, with nothing of it running before."""

    def __init__(self, prewarm: str) -> None:
        self.name = f"npu-launch-prewarm-{prewarm}"
        self._prewarm = prewarm

    def missing(self) -> str | None:
        return super().missing() or missing_program("msrun", "NPU_LAUNCH_VENV")  # it comes with MindSpore

    def command(self, job: Job) -> list[str]:
        restart = ("restart.policy=group", f"restart.max_restarts={job.restarts}")
        changes = (*_CHANGES, f"prewarm={self._prewarm}", *restart)
        command = [str(program("npu-launch", "NPU_LAUNCH_VENV")), "run", str(RECIPE), f"--name={job.directory.name}"]
        return [*command, *(f"--set={change}" for change in changes)]

    def log(self, job: Job, attempt: int, rank: int) -> Path | None:
        runs = self._runs(job)
        return runs[0] / "attempts" / str(attempt) / "ranks" / str(rank) / "stdout.log" if runs else None

    def pid(self, trial: Trial, rank: int) -> int:
        [run] = self._runs(trial.job)
        events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        return next(int(e["pid"]) for e in events if e["type"] == "process_started" and e.get("rank") == rank)


class MsrunTrainer(Msrun, Trainer):
    """msrun: it starts nothing again, so whoever watches it launches the job anew from its newest checkpoint."""

    def command(self, job: Job) -> list[str]:
        recipe = load_recipe(RECIPE, _CHANGES)
        assert isinstance(recipe.args, FrozenMap)
        words = {"{checkpoint_dir}": str(_checkpoints(job))}
        arguments = [f"--{name}={words.get(str(value), value)}" for name, value in recipe.args.items()]
        if job.argument:
            arguments.append(f"--resume_from={job.argument}")
        return [*self._launcher(job), str(recipe.script_path), *arguments]

    def environment(self, job: Job) -> Mapping[str, str]:
        """What npu-launch sets too: the device, and a single thread for each of the ranks that share the cores."""
        recipe = load_recipe(RECIPE)
        return {**super().environment(job), **recipe.env, "DEVICE_TARGET": "CPU", "OMP_NUM_THREADS": "1"}

    def log(self, job: Job, attempt: int, rank: int) -> Path | None:  # noqa: ARG002
        return job.directory / "logs" / f"worker_{rank}.log"

    def pid(self, trial: Trial, rank: int) -> int:
        for child in psutil.Process(trial.process.pid).children():
            environment = child.environ()
            if environment.get("MS_ROLE") == "MS_WORKER" and environment.get("RANK_ID") == str(rank):
                return child.pid
        raise TrialError(f"no process of rank {rank}: {trial.said()}")


ALL: tuple[Trainer, ...] = (NpuLaunchTrainer("off"), NpuLaunchTrainer("on"), MsrunTrainer())


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 when a trial failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, ALL, repeats=3)
    options = parser.parse_args(argv)
    exit_on_signals()
    machine = describe()
    peers = available(ALL, options.peers)
    session = Session(new_base())
    results: Results = {}
    failures: list[str] = []
    try:
        for peer in peers:  # so that files are in memory and bytecode is cached
            _try(session, peer, _launch, failures)
        for repeat in range(options.repeats):
            for peer in random.sample(peers, len(peers)):
                busy = wait_until_calm(options.calm_seconds)
                figures = _try(session, peer, _train, failures)
                keep(results, peer, figures)
                say(f"{repeat + 1} {peer.name} ({busy:.0f} % busy before): {brief(figures)}")
    except KeyboardInterrupt:
        failures.append("interrupted: what follows is what there was")
    finally:
        session.end()
    return report(machine, options, peers, results, failures, _COMPARED)


def _launch(session: Session, peer: Trainer) -> Figures:
    """As far as the first step."""
    with Trial(session, peer, "train") as trial:
        return _until_training(trial, peer, 1, trial.launched, "launch")


def _train(session: Session, peer: Trainer) -> Figures:
    """Some steps, `kill -9` to a rank, and as far as the next step from the newest checkpoint."""
    with Trial(session, peer, "train", restarts=1 if peer.restarts else 0) as trial:
        figures = _until_training(trial, peer, 1, trial.launched, "launch")
        _reached(trial, peer, 1, _STEP, _FAULT_AFTER)
        victim = peer.pid(trial, FAULTY_RANK)
        killed = time.time()
        os.kill(victim, signal.SIGKILL)
        if peer.restarts:
            figures |= _until_training(trial, peer, 2, killed, _AGAIN)
            _check_resumed(trial, peer, 2)
            return figures
        exited = trial.wait_end(_END_PATIENCE)
        newest = max(_checkpoints(trial.job).glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
        with Trial(session, peer, "train", str(newest)) as second:  # at once: nobody is as fast by hand
            figures |= _until_training(second, peer, 1, second.launched - (exited - killed), _AGAIN)
            _check_resumed(second, peer, 1)
        return figures | {f"{_AGAIN} to exit": exited - killed}


def _until_training(trial: Trial, peer: Trainer, attempt: int, since: float, what: str) -> dict[str, Value]:
    """How long the last rank takes to have its network, and to have trained a step."""
    built = _reached(trial, peer, attempt, _BUILT, 1)
    trained = _reached(trial, peer, attempt, _STEP, 1)
    return {f"{what} to network built": built - since, f"{what} to first step": trained - since}


def _reached(trial: Trial, peer: Trainer, attempt: int, words: bytes, times: int) -> float:
    """When the last rank of an attempt had written so many such lines. Raises TrialError if that does not come.

    Ranks write to files that the kernel tells of, so a line not yet there is known to some milliseconds.
    """
    deadline = time.monotonic() + _PATIENCE
    found: Counter[int] = Counter()
    with closing(Follower[int]()) as follower:
        is_followed = False
        while any(found[rank] < times for rank in range(RANKS)):
            if trial.process.poll() is not None or time.monotonic() > deadline:
                raise TrialError(f"'{words.decode()}' {times} times: of ranks {dict(found)}: {trial.said()}")
            logs = {rank: log for rank in range(RANKS) if (log := peer.log(trial.job, attempt, rank)) is not None}
            if not is_followed and len(logs) == RANKS:
                for rank, log in logs.items():
                    follower.add(rank, log)
                is_followed = True
            follower.wait(1.0 if is_followed else 0.01)
            for rank, lines in follower.read():
                found[rank] += sum(words in line for line in lines)
        return time.time()


def _check_resumed(trial: Trial, peer: Trainer, attempt: int) -> None:
    """Raise TrialError when the ranks began anew."""
    log = peer.log(trial.job, attempt, 0)
    if log is None or _RESUMED not in log.read_bytes():
        raise TrialError(f"the ranks did not resume from a checkpoint: {trial.said()}")


def _checkpoints(job: Job) -> Path:
    """Where ranks under msrun keep their checkpoints."""
    return job.directory / "checkpoints"


def _try(
    session: Session, peer: Trainer, measure: Callable[[Session, Trainer], Figures], failures: list[str]
) -> Figures:
    try:
        return measure(session, peer)
    except TrialError as error:
        failures.append(f"{peer.name}: {error}")
        return {}


if __name__ == "__main__":
    sys.exit(main())
