"""How quickly logs are read, merged, searched and followed, beside `rg` and `tail` on the same files.

    python benchmarks/logs.py                        # 8 ranks x 25 MB, half a minute
    python benchmarks/logs.py --size 1000            # 8 x 1 GB
    python benchmarks/logs.py --lossless             # 1.6 million lines while everything on their way is killed

`rg` is ripgrep, from PATH or RG. Times are wall times; `core` figures divide by the processor time that was used, which
means more on a machine that others use too. What starting the command takes is measured by itself, and is part of no
speed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from log_trees import begin_run, make_run
from machine import describe

NPU_LAUNCH = (sys.executable, "-m", "launcher.cli.main")
PATTERNS = {
    "a text that is nowhere": "needle in a haystack",
    "a text, 1 line of 1000": "[ERROR]",
    "a text, 1 line of 3": "LinkEstablish",
    "an expression": r"loss is 0\.0000\d7",
}
DENSE = "a text, 1 line of 3"  # most of the work is to put so many lines in order, which rg leaves to sort
RG_AND_SORT = """
set -o pipefail
export LC_ALL=C
"$0" --no-config -aN --no-filename --sort path -F -e "$@" | sort -s -t")" -k2,2.29
"""
ERRORS = (
    *("error code is 507", "EI0002", "EI0006", "EJ0001", "EZ9999", "ERR00100", "ERR02200", "halMemAlloc failed"),
    *("wait socket establish timeout", "Task exception", "link down", "heartbeat lost", "Traceback (most recent"),
    *("out of memory", "Segmentation fault", "HcclCommInitRootInfo failed", "ret=507011", "retCode=0x91", "ECC error"),
)
PARSE = "import sys; from pathlib import Path; from launcher.logs.grammar import read_records\n" + (
    "print(sum(1 for path in sys.argv[1:] for _ in read_records(Path(path))))"
)
SCAN = """
import json, sys
from pathlib import Path
from launcher.logs.pattern import Pattern
from launcher.logs.scan import Scanner, matching_lines
patterns, *paths = sys.argv[1:]
scanner = Scanner([Pattern(text) for text in json.loads(patterns)])
print(sum(1 for path in paths for _ in matching_lines(Path(path), scanner)))
"""
FOLLOWED = 60  # lines whose way is timed


class Took(NamedTuple):
    """What a command took: seconds, seconds of processor, MB of memory at most."""

    wall: float
    core: float
    memory: float


def run(*command: str | Path, times: int = 1) -> Took:
    """The best of some runs of a command whose output nobody reads."""
    return min((_run(command) for _ in range(times)), key=lambda took: took.core)


def _run(command: Sequence[str | Path]) -> Took:
    began = time.monotonic()
    sink = subprocess.Popen(["sh", "-c", "cat > /dev/null"], stdin=subprocess.PIPE)  # rg stops early for /dev/null
    process = subprocess.Popen(command, stdout=sink.stdin)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    sink.communicate()
    assert process.returncode in (0, 1), f"{command} ended with {process.returncode}"  # 1: rg found nothing
    return Took(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _digest(command: Sequence[str | Path]) -> str:
    """Of what a command prints, which is something."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        digest = hashlib.sha256()
        while block := process.stdout.read(1 << 20):
            digest.update(block)
    assert process.returncode == 0 and digest.digest() != hashlib.sha256().digest(), command
    return digest.hexdigest()


class Bench:
    """Measures on the files of one run."""

    def __init__(self, logs: Sequence[Path], run_id: str, rg: str | None, repeats: int) -> None:
        self.logs = logs
        self.megabytes = sum(log.stat().st_size for log in logs) / 1e6
        self.command = (*NPU_LAUNCH, "logs", run_id)
        self.rg = rg
        self.repeats = repeats
        self.figures: dict[str, float] = {}

    def all(self) -> None:
        """Every measure, each printed as it is known."""
        start = run(*self.command, "-n", "0", times=self.repeats)
        self._say("starting the command", "s", start.wall)
        self._speed("parse to records", run(sys.executable, "-c", PARSE, self.logs[0]), self._python(), 1)
        self._speed("merge, all lines labelled", run(*self.command, times=self.repeats), start)
        last = run(*self.command, "-n", "100", times=self.repeats)
        self._say("-n 100", "s", last.wall)
        self._say("-n 100, memory", "MB", last.memory)
        for name, pattern in PATTERNS.items():
            literal = not name.startswith("an expression")
            command = (*self.command, "--grep", re.escape(pattern) if literal else pattern)
            ready = run(*command, "-n", "0", times=self.repeats)
            ours = run(*command, times=self.repeats)
            self._beside_rg(f"--grep {name}", ours, ready, *(["-F"] if literal else []), "-e", pattern)
            if name == DENSE and self.rg is not None:
                sorting = ("bash", "-c", RG_AND_SORT, self.rg, pattern, *self.logs)
                theirs = run(*sorting, times=self.repeats)
                assert _digest(sorting) == _digest((*command, "--raw")), "other lines, or in another order"
                self._say(
                    f"--grep {name}, the same lines by rg and sort", "MB/s per core", self.megabytes / theirs.core
                )
                ratio = theirs.core / max(ours.core - ready.core, 1e-3)
                self._say(f"--grep {name}, ours / rg and sort", "", ratio)
        ours = run(sys.executable, "-c", SCAN, json.dumps(ERRORS), *self.logs, times=self.repeats)
        options = (word for text in ERRORS for word in ("-e", text))
        self._beside_rg(f"error scan, {len(ERRORS)} texts, with line numbers", ours, self._python(), "-nF", *options)
        self._latency()

    def _python(self) -> Took:
        return run(sys.executable, "-c", "import launcher.logs.grammar, hyperscan", times=self.repeats)

    def _speed(self, name: str, took: Took, start: Took, files: int | None = None) -> float:
        megabytes = self.megabytes * (files or len(self.logs)) / len(self.logs)
        speed = megabytes / max(took.core - start.core, 1e-3)
        self._say(name, "MB/s per core", speed)
        self._say(f"{name}, memory", "MB", took.memory)
        return speed

    def _beside_rg(self, name: str, took: Took, start: Took, *options: str) -> None:
        ours = self._speed(name, took, start)
        if self.rg is not None:
            theirs = run(self.rg, "--no-config", "-a", *options, *self.logs, times=self.repeats)
            self._say(f"{name}, rg", "MB/s per core", self.megabytes / max(theirs.core, 1e-3))
            self._say(f"{name}, ours / rg", "", ours * theirs.core / self.megabytes)

    def _latency(self) -> None:
        """How long a line takes from the moment it is written, through `logs -f` and through `tail -f`."""
        with _running_run() as (run_id, log):
            ours = _followed([*NPU_LAUNCH, "logs", "-f", run_id], log)
            theirs = _followed(["tail", "-n", "+1", "-f", str(log)], log)
        self._say("follow latency, median", "ms", ours)
        self._say("follow latency, tail -f", "ms", theirs)

    def _say(self, name: str, unit: str, value: float) -> None:
        self.figures[f"{name} {unit}".strip()] = value
        print(f"{name:<58} {value:9.2f} {unit}", flush=True)


@contextmanager
def _running_run() -> Iterator[tuple[str, Path]]:
    """A run of one rank that seems to be under way, and the rank's log."""
    made = begin_run("live", 1)
    lock = made.lock()
    assert lock.try_acquire()
    log = made.rank_log(1, 0)
    log.parent.mkdir(parents=True)
    log.write_bytes(b"")
    yield made.id, log
    lock.release()


def _followed(command: Sequence[str], log: Path) -> float:
    """The median of so many lines' ways, in milliseconds."""
    reader = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    ways: list[float] = []
    with log.open("ab", buffering=0) as file:
        file.write(b"ready\n")
        while b"ready" not in reader.stdout.readline():
            pass
        for _ in range(FOLLOWED):
            written = time.monotonic()
            file.write(b"at %.6f\n" % written)
            reader.stdout.readline()
            ways.append((time.monotonic() - written) * 1000)
            time.sleep(0.05)
    reader.terminate()
    reader.wait()
    return statistics.median(ways)


def lossless(folder: Path, kills: int) -> None:
    """1.6 million numbered lines of 8 ranks, while what they pass through is killed."""
    from tests.logs.lossless import follow_through_kills

    began = time.monotonic()
    arrived = follow_through_kills(8, 200_000, 0.0005, kills, folder / "shown")
    print(f"1600000 lines in {time.monotonic() - began:.0f} s: {arrived.missing} missing, {arrived.repeated} repeated")
    print(f"killed: {', '.join(f'{kind} {count} times' for kind, count in sorted(Counter(arrived.kills).items()))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=25, metavar="MB", help="of each rank's log (default 25)")
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many counts (default 3)")
    parser.add_argument("--lossless", action="store_true", help="only this: does any line get lost")
    parser.add_argument("--kills", type=int, default=20, help="of each kind of process, for --lossless (default 20)")
    parser.add_argument("--folder", type=Path, help="where the logs are made, for a while (default: the temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="npu-launch-logs-", dir=options.folder))
    os.environ["NPU_LAUNCH_HOME"] = str(folder / "home")
    try:
        print(describe())
        if options.lossless:
            lossless(folder, options.kills)
            return
        with ProcessPoolExecutor(1) as aside:  # the memory of this process counts as that of what it starts
            made = aside.submit(make_run, options.ranks, int(options.size * 1e6)).result()
        logs = [made.rank_log(1, rank) for rank in range(options.ranks)]
        rg = os.environ.get("RG") or shutil.which("rg")
        print("rg: not found, so there is nothing to compare searches with" if rg is None else f"rg: {rg}")
        bench = Bench(logs, made.id, rg, options.repeats)
        bench.all()
        if options.json is not None:
            options.json.write_text(json.dumps(bench.figures, indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
