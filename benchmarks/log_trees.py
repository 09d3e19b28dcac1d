"""Runs that never were, with logs of any size: what CANN and a training script write on each of some ranks."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from launcher.runs.events import AttemptStarted, HostIdle, ProcessExited, ProcessStarted, RunCreated, RunEnded
from launcher.runs.store import RunDirectory, create_run

_HOST = "node-a"
_BLOCK = 20_000  # lines that are made at a time
_SECONDS = 3600.0  # that the ranks of a run write each day, however much
_DAY = 86_400.0
_MADE = (
    25_000_000  # bytes that are made line by line; what a rank writes on the days after is the same, but for the day
)
_MODULES = ("HCCL", "RUNTIME", "GE", "DRV", "ASCENDCL")
_TEXTS = (
    "[{place}] [{tid}][Wait][LinkEstablish]wait socket establish, role[1] rank[{rank}] timeout[120 s] step[{step}]",
    "[{place}] [{tid}]Entry-HcclAllReduce:tag[AllReduce_127.10.0.1%enp_60000_0_{step}], count[{step}], rankId[{rank}]",
    "[{place}] [{tid}]device_id={rank}, stream_id={tid}, task_id={step}, model finished with no problem at all",
)


def begin_run(name: str, ranks: int, began: float | None = None) -> RunDirectory:
    """A run of so many ranks that is under way, in NPU_LAUNCH_HOME."""
    when = time.time() if began is None else began
    run = create_run(name, f"name: {name}\n", "name: here\n", when)
    numbers = tuple(range(ranks))
    created = RunCreated(
        time=when, run=run.id, name=name, framework="mindspore", target="Ascend", world_size=ranks, hosts=(_HOST,)
    )
    processes = [
        ProcessStarted(time=when, host=_HOST, attempt=1, name=f"rank {rank}", rank=rank, pid=100 + rank)
        for rank in numbers
    ]
    with run.writer() as record:
        record.append([created, AttemptStarted(time=when, attempt=1, ranks=numbers), *processes])
    return run


def make_run(ranks: int, bytes_each: int, *, seed: int = 1) -> RunDirectory:
    """A run that has failed: so many ranks, each of which wrote so much."""
    days = -(-bytes_each // _MADE)
    began = time.mktime((*time.localtime(time.time() - (days + 1) * _DAY)[:3], 8, 0, 0, 0, 0, -1))
    ended = began + (days - 1) * _DAY + _SECONDS
    run = begin_run("logs", ranks, began)
    for rank in range(ranks):
        write_log(run.rank_log(1, rank), rank, bytes_each, began, random.Random(seed + rank))
        os.utime(run.rank_log(1, rank), (ended, ended))
    exits = [
        ProcessExited(time=ended, host=_HOST, attempt=1, name=f"rank {rank}", rank=rank, pid=100 + rank, code=1)
        for rank in range(ranks)
    ]
    with run.writer() as record:
        record.append(
            [
                *exits,
                HostIdle(time=ended, host=_HOST, attempt=1),
                RunEnded(time=ended, outcome="failed", reason="rank 0 failed first (exit code 1)"),
            ]
        )
    return run


def write_log(path: Path, rank: int, size: int, began: float, chance: random.Random) -> None:
    """About `size` bytes: nine lines of CANN's to one of the script's, errors in one line of a thousand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first = b"".join(_one_day(rank, min(size, _MADE), began, chance))
    with path.open("wb") as file:
        for day in range(-(-size // _MADE)):
            block = first.replace(_date(began), _date(began + day * _DAY)) if day else first
            left = size - file.tell()
            file.write(block if len(block) <= left + _MADE // 10 else block[: block.find(b"\n", left) + 1])


def _one_day(rank: int, size: int, began: float, chance: random.Random) -> Iterator[bytes]:
    pause = _SECONDS / max(size / 150, 1)  # seconds between two lines
    when, step, written = began, 0, 0
    while written < size:
        lines = []
        for _ in range(min(_BLOCK, (size - written) // 150 + 1)):
            when += pause * chance.uniform(0.2, 1.8)
            step += 1
            lines.append(_line(when, step, rank, chance))
        block = "".join(lines).encode()
        written += len(block)
        yield block


def _date(when: float) -> bytes:
    return time.strftime(":%Y-%m-%d-", time.localtime(when)).encode()


def _line(when: float, step: int, rank: int, chance: random.Random) -> str:
    drawn = chance.random()
    if drawn < 0.1:
        return f"epoch: {step // 1000} step: {step % 1000}, loss is {2 / (step + 1):.6f}\n"
    level = "ERROR" if drawn > 0.999 else "WARNING" if drawn > 0.99 else "INFO"
    second, part = divmod(when, 1)
    stamp = f"{_second(int(second))}.{int(part * 1e3):03d}.{int(part * 1e6) % 1000:03d}"
    place = f"hccl_socket_manager.cc:{chance.randrange(1000)}"
    text = _TEXTS[step % len(_TEXTS)].format(place=place, tid=20_000 + rank, rank=rank, step=step)
    return f"[{level}] {_MODULES[step % len(_MODULES)]}({100 + rank},python3):{stamp} {text}\n"


_seconds: dict[int, str] = {}


def _second(second: int) -> str:
    if second not in _seconds:
        _seconds[second] = time.strftime("%Y-%m-%d-%H:%M:%S", time.localtime(second))
    return _seconds[second]
