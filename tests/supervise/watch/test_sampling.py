"""A log is read on from where it was left, at a bounded cost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from launcher.logs.metrics import reader_of
from launcher.supervise.watch.processor import use_of
from launcher.supervise.watch.sampling import LogSampler, Look, signs_so_far
from launcher.supervise.watch.standstill import Signs

SIZE = b"training: epochs: 2, steps per epoch: 100, batch per rank: 4, ranks: 1\n"


def step(number: int, epoch: int = 1) -> bytes:
    return b"epoch: %d step: %d, loss is 0.5\n" % (epoch, number)


def append(log: Path, data: bytes, at: float) -> None:
    with log.open("ab") as file:
        file.write(data)
    os.utime(log, (at, at))


def test_new_step_lines_are_seen_once_at_the_time_they_were_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sampler = LogSampler(3, log, 8, reader_of())
    assert sampler.look(1000) is None
    append(log, SIZE, 1001)
    assert sampler.look(1002) == Look(3, 1001, stepped=False, marked=True, is_first=True)
    append(log, step(1), 1002.5)
    assert sampler.look(1003) == Look(3, 1002.5, stepped=True, marked=True)
    assert sampler.look(1004) is None
    append(log, b"loading\n", 1004.5)
    assert sampler.look(1005) == Look(3, 1004.5, stepped=False, marked=False)
    append(log, step(2, epoch=2), 1005.5)
    sampler.look(1006)
    assert sampler.progress.steps_done == 102


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sampler = LogSampler(0, log, 8, reader_of())
    append(log, SIZE + step(1)[:10], 1000)
    assert sampler.look(1001) == Look(0, 1000, stepped=False, marked=True, is_first=True)
    append(log, step(1)[10:], 1002)
    assert sampler.look(1003) == Look(0, 1002, stepped=True, marked=True)


def test_of_what_a_chatty_rank_writes_the_newest_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sampler = LogSampler(0, log, 8, reader_of())
    append(log, SIZE + step(1), 1000)
    sampler.look(1000)
    append(log, step(2) + b"x" * 99 * 40_000 + b"\n" + step(3) * 100 + step(4), 1001)
    began = time.process_time()
    assert sampler.look(1001) == Look(0, 1001, stepped=True, marked=True)
    assert time.process_time() - began < 0.1
    assert sampler.progress.steps_done == 4
    append(log, step(5), 1002)
    sampler.look(1002)
    assert sampler.progress.steps_done == 5


def test_a_clock_that_is_wrong_does_not_make_new_lines_old(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sampler = LogSampler(0, log, 8, reader_of())
    append(log, SIZE, 1000)
    sampler.look(1000)
    append(log, step(1), 5)
    look = sampler.look(1001)
    assert look is not None and look.at == 1000
    append(log, step(2), 9999)
    look = sampler.look(1002)
    assert look is not None and look.at == 1002


def test_a_log_that_was_truncated_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sampler = LogSampler(0, log, 8, reader_of())
    append(log, SIZE + step(1) + step(2), 1000)
    sampler.look(1000)
    log.write_bytes(step(3))
    look = sampler.look(1001)
    assert look is not None and look.stepped
    assert sampler.progress.steps_done == 3


def test_a_clock_that_is_set_back_does_not_put_new_lines_into_the_future(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sampler = LogSampler(0, log, 8, reader_of())
    append(log, SIZE, 1000)
    sampler.look(1000)
    append(log, step(1), 500)
    look = sampler.look(500)
    assert look is not None and look.at == 500


def test_of_many_large_logs_a_smaller_part_is_read_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    append(log, SIZE + step(1) + b"x" * 99 * 40_000 + b"\n" + step(2), 1000)
    sizes: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    sampler = LogSampler(0, log, 256, reader_of())
    sampler.look(1000)
    assert sampler.progress.steps_done == 2
    assert sum(sizes) <= 1 << 16


def test_what_all_looks_have_shown_is_known_without_another(tmp_path: Path) -> None:
    samplers = [LogSampler(rank, tmp_path / str(rank), 2, reader_of()) for rank in range(2)]
    for rank, sampler in enumerate(samplers):
        append(tmp_path / str(rank), SIZE + step(1), 1000 + rank)
        sampler.look(1002)
    append(tmp_path / "0", b"loading\n", 1003)
    samplers[0].look(1004)
    assert signs_so_far(samplers, 1005) == Signs(stepped=1001, marked=1001, grew=1003)
    assert signs_so_far(samplers, 900) == Signs(stepped=900, marked=900, grew=900)


def process(proc: Path, pid: int, parent: int, ticks: int, state: str = "S") -> None:
    (proc / str(pid)).mkdir()
    fields = [state, str(parent), *["0"] * 9, str(ticks), "0", "0", "0", *["0"] * 10]
    (proc / str(pid) / "stat").write_text(f"{pid} (a ) b) {' '.join(fields)}")


def test_what_ranks_have_started_counts_as_theirs(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, 100)
    process(tmp_path, 11, 10, 20)
    process(tmp_path, 12, 11, 3, state="T")
    process(tmp_path, 20, 1, 1000)
    process(tmp_path, 30, 1, 50, state="T")
    (tmp_path / "10" / "io").write_text("rchar: 1000\nwchar: 2000\nsyscr: 5\n")
    (tmp_path / "self").mkdir()
    use = use_of({0: 10, 1: 30, 2: 99}, 5.0, proc=tmp_path)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    assert use.at == 5.0
    assert use.seconds == pytest.approx({0: 123 * tick, 1: 50 * tick, 2: 0})
    assert use.moved == {0: 3_000, 1: 0, 2: 0}
    assert use.held == frozenset({1})
