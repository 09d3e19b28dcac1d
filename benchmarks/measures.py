"""What is measured: each measure runs one job under one launcher and returns its figures."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from loglines import count_lines
from payload import FAULTY_RANK
from peers import RANKS, NpuLaunch, Peer, Victim
from processes import Deaths, cpu_seconds, is_alive, pss_mib
from trial import Session, Trial, TrialError

_LAST_WORD_SECONDS = 15.0

Figures = Mapping[str, float | int | str | None]


@dataclass(frozen=True)
class Settings:
    """How large the job of a measure is."""

    lines: int
    idle_seconds: float


def launch(session: Session, peer: Peer, _settings: Settings) -> Figures:
    """Ranks that do nothing: what it takes to start them, and to end."""
    with Trial(session, peer, "noop") as trial:
        ended = trial.wait_end(120)
        moments = [moment for pids in trial.first_lines().values() for moment in pids.values()]
        if len(moments) != RANKS or trial.process.returncode:
            raise TrialError(f"{len(moments)} ranks ran, exit code {trial.process.returncode}: {trial.said()}")
        return {
            "launch to last rank's first line": max(moments) - trial.launched,
            "empty job, launch to exit": ended - trial.launched,
            "exit to last process gone": trial.seconds_until_gone(ended),
        }


def fault(session: Session, peer: Peer, _settings: Settings) -> Figures:
    """A rank ends with code 17 while the others wait."""
    with Trial(session, peer, "fault") as trial:
        figures = _fault(trial, 60)
        return {
            "fault to gang dead": figures["gang dead"],
            "fault to exit": figures["exit"],
            "exit code after the fault": trial.process.returncode,
        }


def stubborn(session: Session, peer: Peer, _settings: Settings) -> Figures:
    """The same, and the other ranks ignore SIGTERM."""
    with Trial(session, peer, "stubborn") as trial:
        figures = _fault(trial, 60)
        return {"fault to gang dead, SIGTERM ignored": figures["gang dead"]}


def restart(session: Session, peer: Peer, _settings: Settings) -> Figures:
    """The same, and all ranks start once more."""
    if not peer.restarts:
        return {"fault to all ranks' next first line": None}
    with Trial(session, peer, "restart", restarts=1) as trial:
        trial.wait_up()
        _wait_anywhere()
        trial.cause_fault()
        moment = trial.fault_moment()
        trial.wait_end(90)
        second = [list(pids.values())[1] for pids in trial.first_lines().values() if len(pids) > 1]
        if len(second) != RANKS or trial.process.returncode:
            raise TrialError(f"{len(second)} ranks again, exit code {trial.process.returncode}: {trial.said()}")
        return {"fault to all ranks' next first line": max(second) - moment}


def idle(session: Session, peer: Peer, settings: Settings) -> Figures:
    """Ranks sleep: what the launcher costs beside them."""
    with Trial(session, peer, "sleep", "600") as trial:
        trial.wait_up()
        trial.wait_settled()
        processes = trial.launcher_processes()
        ray = {pid for pid in processes if peer.is_ray(pid)}
        own = processes - ray
        before = cpu_seconds(own), cpu_seconds(ray)
        began = time.monotonic()
        time.sleep(settings.idle_seconds)
        after = cpu_seconds(own), cpu_seconds(ray)
        percent = 100 / (time.monotonic() - began)
        return {
            "idle CPU, launcher": (after[0] - before[0]) * percent,
            "idle CPU, Ray": (after[1] - before[1]) * percent if ray else None,
            "memory (PSS), launcher": pss_mib(own),
            "memory (PSS), Ray": pss_mib(ray) if ray else None,
            "processes, launcher": len(own),
            "processes, Ray": len(ray) if ray else None,
        }


def logs(session: Session, peer: Peer, settings: Settings) -> Figures:
    """Ranks write numbered lines as fast as they can: which of them arrive whole."""
    figures: dict[str, float | int | str | None] = {}
    for mode in peer.log_modes:
        suffix = f", {mode.name}" if mode.name.startswith("-") else ""
        with Trial(session, peer, "logs", str(settings.lines), log_mode=mode.name) as trial:
            ended = trial.wait_end(300)
            begun = min(moment for pids in trial.first_lines().values() for moment in pids.values())
            written = trial.notes("end")
            if len(written) != RANKS:
                raise TrialError(f"{len(written)} ranks wrote all of their lines: {trial.said()}")
            if mode.console_ranks:
                found = count_lines([trial.console], settings.lines)
                figures[f"log lines lost on the console{suffix}"] = mode.console_ranks * settings.lines - found
            if mode.files:
                found = count_lines(peer.log_files(trial.job), settings.lines)
                figures[f"log lines lost in files{suffix}"] = RANKS * settings.lines - found
            figures[f"log lines: first to last written{suffix}"] = max(written.values()) - begun
            figures[f"log lines: last written to exit{suffix}"] = ended - max(written.values())
    return figures


def killed(session: Session, peer: Peer, _settings: Settings) -> Figures:
    """SIGKILL to a process of the launcher, then a fault: in words, what becomes of the ranks."""
    return {f"`kill -9` of {victim.name}": _killed(session, peer, victim) for victim in peer.victims}


def _killed(session: Session, peer: Peer, victim: Victim) -> str:
    with Trial(session, peer, "fault") as trial:
        ranks = trial.wait_up()
        if victim.settled:
            trial.wait_settled()
        else:
            _wait_anywhere()
        pid = victim.find(trial.process.pid, trial.launcher_processes())
        if pid is None:
            raise TrialError(f"{victim.name} is not there: {trial.said()}")
        with Deaths(ranks.values()) as deaths:
            killed_at = time.time()
            os.kill(pid, signal.SIGKILL)
            deaths.wait(5)
            if len(deaths.at) == RANKS:
                words = f"the ranks die with it, the last after {_milliseconds(deaths.at.values(), killed_at)}"
                return words + _last_word(trial)
            if deaths.at:
                return f"{len(deaths.at)} of {RANKS} ranks die with it"
            trial.cause_fault()
            moment = trial.fault_moment()
            deaths.wait(5)
            left = RANKS - len(deaths.at)
            if left:
                return f"the ranks go on, nobody watches them: a later fault leaves {left} of {RANKS} behind"
            words = f"the ranks go on; a later fault ends them all in {_milliseconds(deaths.at.values(), moment)}"
        return words + _last_word(trial)


def _last_word(trial: Trial) -> str:
    """How the run is known to have ended some seconds later, for a launcher that keeps a record."""
    if not isinstance(trial.peer, NpuLaunch):
        return ""
    deadline = time.monotonic() + _LAST_WORD_SECONDS
    while (phase := trial.peer.status(trial.job)) in ("running", "stopping") and time.monotonic() < deadline:
        time.sleep(0.1)
    code = trial.process.poll()
    ended = "does not end" if code is None else "was the victim" if code < 0 else f"ends with {code}"
    return f"; `npu-launch status` says {phase}, the command {ended}"


def _fault(trial: Trial, limit: float) -> dict[str, float | None]:
    """Seconds from the fault to the end of the last other rank, and of the launcher; None for what never ended."""
    ranks = trial.wait_up()
    others = [pid for rank, pid in ranks.items() if rank != FAULTY_RANK]
    _wait_anywhere()
    if not all(map(is_alive, others)):
        raise TrialError(f"ranks ended before the fault: {trial.said()}")
    with Deaths([*others, trial.process.pid]) as deaths:
        trial.cause_fault()
        deaths.wait(limit)
    moment = trial.fault_moment()
    if trial.process.pid in deaths.at:
        trial.process.wait()
    ends = [deaths.at[pid] for pid in others if pid in deaths.at]
    exited = deaths.at.get(trial.process.pid)
    return {
        "gang dead": max(ends) - moment if len(ends) == len(others) else None,
        "exit": None if exited is None else exited - moment,
    }


def _wait_anywhere() -> None:
    """Long enough to land anywhere in a launcher's polling period."""
    time.sleep(0.5 + random.random() * 1.1)


def _milliseconds(moments: Iterable[float], since: float) -> str:
    return f"{(max(moments) - since) * 1000:.0f} ms"


MEASURES: Mapping[str, Callable[[Session, Peer, Settings], Figures]] = {
    "launch": launch,
    "fault": fault,
    "stubborn": stubborn,
    "restart": restart,
    "idle": idle,
    "logs": logs,
    "killed": killed,
}
REPEATS_AT_MOST = {"stubborn": 2, "idle": 2, "logs": 1, "killed": 1}  # what varies little, and takes long
ALONE = frozenset({"idle"})  # nothing else may be up: processes of one program share memory
