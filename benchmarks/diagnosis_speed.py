"""How long a diagnosis of 8 plogs takes, beside one run of `rg -c -F -f` with the texts that the rules look for.

    python benchmarks/diagnosis_speed.py [--megabytes 25] [--ranks 8] [--rounds 3] [--rg PATH] [--json FILE]

The logs are made anew, with 0.01 %, 20 % and 100 % of lines of level ERROR, which are of forms that rules are about.
Both are timed as commands, from start to exit, with the logs in the page cache; memory is that of all processes
together (PSS). Without ripgrep, `grep -c -F -f` is measured in its place, and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from launcher.diagnose.loading import rulebook
from launcher.diagnose.root.lines import KINDS

SHARES: Final = (0.0001, 0.2, 1.0)
COMMAND: Final = str(Path(sys.executable).with_name("npu-launch"))

_CALM: Final = (
    "[INFO] RUNTIME({pid},python3):2026-11-21-10:{m:02}:{s:02}.{ms:03}.{us:03} [stream.cc:{a}] {pid} LaunchKernel:"
    "stream_id={b}, task_id={c}, kernel_name=te_fused_mul_add_{d}, args_size={e}",
    "[INFO] HCCL({pid},python3):2026-11-21-10:{m:02}:{s:02}.{ms:03}.{us:03} [hccl_comm.cc:{a}] [{pid}]AllReduce:"
    "tag[HcomAllReduce_{b}_{c}], count[{d}], dataType[float16], op[sum], stream[{e}]",
    "[EVENT] GE({pid},python3):2026-11-21-10:{m:02}:{s:02}.{ms:03}.{us:03} [model_manager.cc:{a}] {pid} Execute:"
    "model {b} iteration {c} input {d} output {e} done",
)
_GRAVE: Final = (
    "[ERROR] RUNTIME({pid},python3):2026-11-21-10:{m:02}:{s:02}.{ms:03}.{us:03} [npu_driver.cc:{a}]{pid} "
    "DevMemAllocHugePageManaged:[INIT][DEFAULT][drv api] halMemAlloc failed:size={b}(Byte), type=2, drvRetCode=6, "
    "device_id={d}!",
    "[ERROR] HCCL({pid},python3):2026-11-21-10:{m:02}:{s:02}.{ms:03}.{us:03} [task_exception_handler.cc:{a}] [{pid}]"
    "[TaskExceptionHandler][Callback]Task from HCCL run failed. streamId[{b}], taskId[{c}], remote rank:[{d}]",
    "[ERROR] RUNTIME({pid},python3):2026-11-21-10:{m:02}:{s:02}.{ms:03}.{us:03} [engine.cc:{a}]{pid} "
    "ReportExceptProc:Task exception! device_id={d}, stream_id={b}, task_id={c}, type=13, retCode=0x91.",
    "[ERROR] GE({pid},python3):2026-11-21-10:{m:02}:{s:02}.{ms:03}.{us:03} [model_manager.cc:{a}] {pid} Execute:"
    "ErrorNo: 507011(model execute failed) model {b} node {c}",
)


class Cost(NamedTuple):
    """Of one command: seconds from start to exit, seconds of processors, and its most memory at once, in MiB."""

    seconds: float
    processors: float
    memory: float


def main() -> int:
    """Entry point."""
    options = _options()
    rg = options.rg or shutil.which("rg")
    counter = [rg, "-c", "-F", "-f"] if rg else ["grep", "-c", "-F", "-f"]
    rows = []
    with tempfile.TemporaryDirectory(prefix="diagnosis-speed-") as temporary:
        folder = Path(temporary)
        texts = folder / "texts"
        texts.write_text("\n".join(literals()) + "\n")
        for share in SHARES:
            logs = list(made(folder / f"logs-{share}", options.ranks, options.megabytes << 20, share))
            rows.append(
                {
                    "error lines": share,
                    "diagnose": _measured([COMMAND, "diagnose", str(logs[0].parents[1])], options.rounds)._asdict(),
                    Path(counter[0]).name: _measured([*counter, str(texts), *map(str, logs)], options.rounds)._asdict(),
                }
            )
            shutil.rmtree(logs[0].parents[1])
    print(_report(rows, Path(counter[0]).name, options))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


def literals() -> list[str]:
    """The texts that a diagnosis scans for: those without which no rule holds, and those of facts about ranks."""
    rules = rulebook().rules.values()
    anchors = {text for rule in rules for each in rule.anchors for text in each.texts}
    return sorted(anchors | {kind.text for kind in KINDS})


def made(folder: Path, ranks: int, size: int, share: float) -> Iterator[Path]:
    """A plog for each rank, of so many bytes, in which this share of the lines is of level ERROR."""
    for rank in range(ranks):
        path = folder / f"rank_{rank}" / f"plog-{4000 + rank}_20261121100000000.log"
        path.parent.mkdir(parents=True)
        dice = random.Random(rank)
        line = _line(4000 + rank, dice)
        with path.open("w") as file:
            written = 0
            while written < size:
                written += file.write(line(_GRAVE if dice.random() < share else _CALM))
        yield path


def _line(pid: int, dice: random.Random) -> Callable[[Sequence[str]], str]:
    fields = {"pid": pid}

    def line(forms: Sequence[str]) -> str:
        number = dice.getrandbits(60)
        fields.update(m=number % 60, s=number // 60 % 60, ms=number % 1000, us=number // 1000 % 1000, a=number % 2000)
        fields.update(b=number % 4096, c=number // 7 % 65536, d=number % 8, e=number // 11 % 100000)
        return forms[number % len(forms)].format(**fields) + "\n"

    return line


def _measured(command: Sequence[str], rounds: int) -> Cost:
    """The medians of so many runs, after one that warms the cache and whose memory is looked at."""
    memory = _once(command, watch=True).memory
    costs = [_once(command, watch=False) for _ in range(rounds)]
    seconds, processors = (statistics.median(cost[field] for cost in costs) for field in (0, 1))
    return Cost(seconds, processors, memory)


def _once(command: Sequence[str], *, watch: bool) -> Cost:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        most = 0.0
        while watch and process.poll() is None:
            most = max(most, _memory(process.pid))
            time.sleep(0.01)
        _, said = process.communicate()
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {said.decode()[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most)


def _memory(pid: int) -> float:
    """MiB of a process and those below it; pages that several have count once."""
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / (1 << 20)


def _report(rows: Sequence[dict[str, object]], counter: str, options: argparse.Namespace) -> str:
    lines = [
        f"{options.ranks} plogs of {options.megabytes} MB, {len(literals())} texts, {os.cpu_count()} processors",
        "",
        f"| ERROR lines | diagnose (processors) | {counter} -c -F -f (processors) | ratio | memory of diagnose |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ours, theirs = row["diagnose"], row[counter]
        assert isinstance(ours, dict) and isinstance(theirs, dict)
        lines.append(
            f"| {100 * float(str(row['error lines'])):g} % | {ours['seconds']:.2f} s ({ours['processors']:.2f} s) "
            f"| {theirs['seconds']:.2f} s ({theirs['processors']:.2f} s) "
            f"| {ours['seconds'] / theirs['seconds']:.1f} | {ours['memory']:.0f} MiB |"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=25)
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rg", help="path of ripgrep, where it is not on PATH")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
