"""Measures npu-launch on several hosts: bringing up, launching, what a host costs, reaching many hosts over ssh.

The hosts are machines of namespaces on this one (tests/machines): root, iproute2 and openssh-server are needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import fan_out
from benchmarks.bring_up import RANKS_A_HOST, measure
from benchmarks.machine import describe, wait_until_calm
from benchmarks.tables import cell
from tests.machines import Machines
from tests.machines.fleet import missing

Values = dict[str, dict[int, list[float]]]  # by figure and number of hosts, one of each repeat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--fan-out", type=int, nargs="+", default=[1, 8, 16, 32, 64])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="keep every figure in this file")
    options = parser.parse_args()
    if reason := missing():
        sys.exit(reason)
    torchrun = shutil.which("torchrun", path=f"{os.environ.get('TORCH_VENV', '')}/bin")
    if torchrun is None:
        print("torchrun is left out: no TORCH_VENV with it", file=sys.stderr)
    print(describe(), end="\n\n", flush=True)
    ours: Values = {}
    theirs: Values = {}
    for _ in range(options.repeats):
        for hosts in options.hosts:
            wait_until_calm(10)
            npu_launch, other = measure(hosts, Path(torchrun) if torchrun else None)
            _note(ours, hosts, npu_launch)
            _note(theirs, hosts, other)
            print(f"{hosts}: {json.dumps(npu_launch)} {json.dumps(other)}", file=sys.stderr)
    print(f"npu-launch, {RANKS_A_HOST} ranks a host:\n\n{_table(ours, options.hosts, 'host', 'hosts')}\n", flush=True)
    if theirs:
        print(f"torchrun, {RANKS_A_HOST} ranks a host:\n\n{_table(theirs, options.hosts, 'host', 'hosts')}\n")
        name = "launch: to the last rank's first line"
        ratios = [f"{median(ours[name][n]) / median(theirs[name][n]):.2f} ({n})" for n in options.hosts]
        print(f"{name}, npu-launch / torchrun (hosts): {', '.join(ratios)}\n")
    reached: Values = {}
    with Machines("node-1") as machines:
        hosts = fan_out.addresses(machines, "node-1", max(options.fan_out))
        for _ in range(options.repeats):
            for count in options.fan_out:
                wait_until_calm(10)
                _note(reached, count, fan_out.measure(machines.laptop, hosts[:count]))
    print(f"{_table(reached, options.fan_out, 'address', 'addresses')}\n\n{_ratios(reached, options.fan_out)}")
    if options.json is not None:
        kept = {"npu-launch": ours, "torchrun": theirs, "fan-out": reached}
        options.json.write_text(json.dumps(kept, indent=1) + "\n")


def _note(values: Values, hosts: int, figures: Mapping[str, float]) -> None:
    for figure, value in figures.items():
        values.setdefault(figure, {}).setdefault(hosts, []).append(value)


def _table(values: Values, columns: Sequence[int], one: str, many: str) -> str:
    """Medians, minimum to maximum, by number of hosts; and of the greatest number the share of one host."""
    most = columns[-1]
    lines = ["| " + " | ".join(["", *(f"{n} {many if n > 1 else one}" for n in columns)])]
    lines = [f"{lines[0]} | a host, of {most} |", "| --- " * (len(columns) + 2) + "|"]
    for figure, by_hosts in sorted(values.items(), key=lambda item: _is_cost(item[0])):
        of_most = by_hosts.get(most, [])
        is_time = not _is_cost(figure) and not figure.endswith("lost")
        share = f"{median(of_most) / most * 1000:.0f} ms" if is_time and of_most else ""
        cells = [_cell(figure, by_hosts.get(n, [])) for n in columns]
        lines.append("| " + " | ".join([figure, *cells, share]) + " |")
    return "\n".join(lines)


def _is_cost(figure: str) -> str:
    """What a figure of memory or processor time is sorted by; of any other nothing."""
    return figure if figure.startswith(("memory", "idle CPU")) else ""


def _cell(figure: str, values: Sequence[float]) -> str:
    return f"{median(values):g}" if values and figure.endswith("lost") else cell(figure, values)


def _ratios(reached: Values, columns: Sequence[int]) -> str:
    """How much longer the greatest number takes than the smallest, and npu-launch than the ssh program."""
    least, most = columns[0], columns[-1]
    lines = [
        f"- {figure}: {most // least} times the hosts take {median(by[most]) / median(by[least]):.1f} times as long"
        for figure, by in reached.items()
        if not figure.endswith("lost")
    ]
    ours, *others = [figure for figure in reached if figure.endswith(": log in, `true`") and "here" not in figure]
    lines += [
        f"- {ours} / {other}, {most} addresses: {median(reached[ours][most]) / median(reached[other][most]):.2f}"
        for other in others
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
