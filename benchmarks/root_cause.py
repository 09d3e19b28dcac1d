"""How often the rank that broke first is found: the written scenarios, failures drawn by lot, and storms of errors."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launcher.diagnose.diagnosing import diagnose_folder
from launcher.diagnose.loading import rulebook
from launcher.diagnose.root import RootCause
from tests.diagnose.scenarios import said
from tests.diagnose.scenarios.drawn import drawn
from tests.diagnose.scenarios.job import Job, Layout, one_folder_each
from tests.diagnose.scenarios.told import SCENARIOS, others_wait


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drawn", type=int, default=500, help="failures to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--storm", type=int, default=150_000, help="lines of errors a rank (default: %(default)s)")
    options = parser.parse_args()
    written = Counter(_is_found(each.tell(), each.layout, each.rank, each.name, each.causes) for each in SCENARIOS)
    print(f"{written[True]:>5} of {sum(written.values())} written scenarios: rank and cause")
    lot = Random(options.seed)
    lots = Counter(
        _is_found(job, layout, rank, words) for job, layout, rank, words in (drawn(lot) for _ in range(options.drawn))
    )
    print(f"{lots[True]:>5} of {sum(lots.values())} drawn failures: rank")
    _storm(options.storm)


def _is_found(job: Job, layout: Layout, rank: int | None, words: str, causes: tuple[str, ...] = ()) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        root = _root(job, layout, Path(folder))
    found = root is not None and root.rank == rank and (not causes or root.cause in causes)
    if not found:
        print(f"      {words}: {'no fault' if root is None else f'rank {root.rank}, {root.cause}: {root.why}'}")
    return found


def _root(job: Job, layout: Layout, folder: Path) -> RootCause | None:
    return diagnose_folder(job.write(folder, layout), rulebook()).root


def _storm(lines: int) -> None:
    """Eight ranks that all write errors without end after one of them ran out of memory."""
    job = Job().starts()
    said.out_of_memory(job, 4, 40)
    others_wait(job, 4)
    for rank in job.ranks:
        text = f"Task run failed, base information is streamID:[2], tag[AllReduce_{said.TAG}]."
        job.hccl(rank, 1901, "task_exception_handler.cc:908", f"[TaskExecStage][Timeout][Host]{text}")
        job.plogs[rank] += job.plogs[rank][-1:] * lines
    with tempfile.TemporaryDirectory() as folder:
        job.write(Path(folder), one_folder_each)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.log"))
        began = time.perf_counter()
        root = diagnose_folder(Path(folder), rulebook()).root
        took = time.perf_counter() - began
    found = None if root is None else (root.rank, root.cause)
    print(f"storm of {lines:,} errors a rank, {size / 1e6:.0f} MB: {found} in {took:.1f} s")


if __name__ == "__main__":
    main()
