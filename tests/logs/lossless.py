"""Numbered lines that pass through processes which are killed again and again: each has to arrive once.

Ranks write, half of them on "another host", whose folder an agent copies to the run's home by offset, as the mirror of
logs does. A command reads at the home, and what it shows is relayed. Writers, agent and reader are killed with SIGKILL,
and started again, until all is written.
"""

from __future__ import annotations

import os
import random
import re
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from launcher.cli.interrupts import Interrupts
from launcher.cli.log_relay import follow_frames
from launcher.errors import InfrastructureError
from launcher.hosts.session import Window
from launcher.runs.events import AttemptStarted, ProcessStarted, RunCreated, RunEnded
from launcher.runs.store import RunDirectory, create_run
from launcher.supervise.mirror.news import size_of

WRITER = """
import os, re, sys, time
path, lines, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
size = os.fstat(file).st_size
end = os.pread(file, 4096, max(size - 4096, 0))
if end and not end.endswith(b"\\n"):
    os.write(file, b"\\n")
whole = re.findall(rb"^line (\\d{7}) .*\\n", end, re.M)
for number in range(int(whole[-1]) + 1 if whole else 0, lines):
    os.write(file, b"line %07d %s\\n" % (number, b"x" * (number % 90)))
    if pause and number % 16 == 0:
        time.sleep(pause)
"""
AGENT = """
import sys, time
from launcher.supervise.mirror.news import Piece, Want, read_news, size_of, write_piece
pairs = dict(zip(sys.argv[1::2], sys.argv[2::2]))
while True:
    for piece in read_news([Want(there, size_of(here) or 0) for there, here in pairs.items()], 1 << 18, 1.0):
        write_piece(piece._replace(path=pairs[piece.path]))
"""
_SHOWN = re.compile(rb"rank +(\d+) \| line (\d{7}) (x*)\n")


class Arrived(NamedTuple):
    """Of the lines of each rank: those that are missing, and those that came more than once; and how many kills."""

    missing: int
    repeated: int
    kills: Counter[str]


def follow_through_kills(ranks: int, lines: int, pause: float, kills: int, shown: Path, seed: int = 0) -> Arrived:
    """Follow a run of so many ranks and lines to its end while each kind of process is killed at least so often.

    Writers wait `pause` seconds after every 16 lines. The run is made in NPU_LAUNCH_HOME; what is seen goes to `shown`.
    """
    run = _make_run(ranks)
    lock = run.lock()
    assert lock.try_acquire()
    killing = _Killing(random.Random(seed), kills, max(4, ranks * lines // 20_000))
    job = threading.Thread(target=_write_all, args=(run, ranks, lines, pause, killing))

    @contextmanager
    def begin(frames: str) -> Iterator[_Piped]:
        words = ("logs", "-f", "--frames", frames, "--", run.id)
        process = subprocess.Popen(
            [sys.executable, "-m", "launcher.cli.from_afar", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        session = _Piped(process, killing)
        try:
            yield session
        finally:
            session.close()

    job.start()
    try:
        with Interrupts() as interrupts, _stdout_to(shown):
            assert follow_frames(begin, interrupts, "the connection") == 0
    finally:
        job.join()
        lock.release()
    return _count(shown, ranks, lines, killing.done)


class _Killing:
    """Kills processes of three kinds, so many times each."""

    def __init__(self, chance: random.Random, most: int, pieces: int) -> None:
        self.chance = chance
        self.pieces = pieces  # that are read at most, 64 KiB each, before a reader is killed
        self.done: Counter[str] = Counter()
        self._most = most

    def wants(self, kind: str) -> bool:
        return self.done[kind] < self._most

    def kill(self, kind: str, process: subprocess.Popen[bytes]) -> None:
        """With SIGKILL, and wait until it is gone; one that ended by itself does not count."""
        if process.poll() is None:
            process.kill()
            process.wait()
            self.done[kind] += 1


class _Piped:
    """A command with pipes, as a session with a host. Whoever reads from it may find it killed, or the host lost."""

    def __init__(self, process: subprocess.Popen[bytes], killing: _Killing) -> None:
        self._process = process
        self._killing = killing
        self._until_kill = killing.chance.randint(1, killing.pieces)
        self._epoll = select.epoll()
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._epoll.register(process.stdout.fileno(), select.EPOLLIN)
        self._out = process.stdout.fileno()

    pid = None

    def fileno(self) -> int:
        return self._epoll.fileno()

    def take(self) -> tuple[bytes, bytes] | None:
        try:
            data = os.read(self._out, 1 << 16)
        except BlockingIOError:
            return b"", b""
        if not data:
            self._process.wait()
            return None
        self._until_kill -= 1
        if self._until_kill == 0 and self._killing.wants("reader"):
            self._killing.kill("reader", self._process)
            if self._killing.chance.random() < 0.5:  # what was under way is lost with the connection
                raise InfrastructureError("killed", where="here", expected="a connection", remedy="another")
        return data, b""

    def send(self, data: bytes) -> None:
        raise AssertionError("who follows logs types nothing")

    def resize(self, window: Window) -> None:
        raise AssertionError("what is followed without a terminal has no size")

    def code(self) -> int:
        return self._process.wait()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._epoll.close()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


def _make_run(ranks: int) -> RunDirectory:
    began = time.time()
    run = create_run("lines", "name: lines\n", "name: here\n", began)
    numbers = tuple(range(ranks))
    with run.writer() as record:
        record.append(
            [
                RunCreated(
                    time=began,
                    run=run.id,
                    name="lines",
                    framework="plain",
                    target="CPU",
                    world_size=ranks,
                    hosts=("node-a", "node-b"),
                ),
                AttemptStarted(time=began, attempt=1, ranks=numbers),
                *(
                    ProcessStarted(time=began, host="node-a", attempt=1, name=f"rank {rank}", rank=rank, pid=1)
                    for rank in numbers
                ),
            ]
        )
    return run


def _write_all(run: RunDirectory, ranks: int, lines: int, pause: float, killing: _Killing) -> None:
    """Have all lines written and copied, through kills; then the run ends."""
    logs = [run.rank_log(1, rank) for rank in range(ranks)]
    written = [run.path.with_name("there") / str(rank) if rank % 2 else log for rank, log in enumerate(logs)]
    for path in (*logs, *written):
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(rank: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", WRITER, str(written[rank]), str(lines), str(pause)])

    def copy() -> subprocess.Popen[bytes]:
        pairs = (str(path) for rank in range(1, ranks, 2) for path in (written[rank], logs[rank]))
        return subprocess.Popen([sys.executable, "-c", AGENT, *pairs])

    writers, agent = [write(rank) for rank in range(ranks)], copy()
    while killing.wants("writer") or killing.wants("agent"):
        rank = killing.chance.randrange(ranks)
        time.sleep(killing.chance.uniform(0.02, 0.2))
        if all(writer.poll() is not None for writer in writers):
            break
        if killing.wants("writer"):
            killing.kill("writer", writers[rank])
            writers[rank] = write(rank)
        if killing.wants("agent"):
            killing.kill("agent", agent)
            agent = copy()
    for writer in writers:
        assert writer.wait() == 0
    while any((size_of(str(log)) or 0) < path.stat().st_size for log, path in zip(logs, written, strict=True)):
        time.sleep(0.01)
    agent.kill()
    agent.wait()
    with run.writer() as record:
        record.append([RunEnded(time=time.time(), outcome="failed", reason="told to")])


@contextmanager
def _stdout_to(path: Path) -> Iterator[None]:
    before = sys.stdout
    with path.open("w", encoding="utf-8") as sys.stdout:
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stdout = before


def _count(shown: Path, ranks: int, lines: int, kills: Counter[str]) -> Arrived:
    came = [bytearray(lines) for _ in range(ranks)]
    repeated = 0
    with shown.open("rb") as file:
        for line in file:
            if (match := _SHOWN.fullmatch(line)) is not None and len(match[3]) == int(match[2]) % 90:
                rank, number = int(match[1]), int(match[2])
                repeated += came[rank][number]
                came[rank][number] = 1
    return Arrived(sum(each.count(0) for each in came), repeated, kills)
