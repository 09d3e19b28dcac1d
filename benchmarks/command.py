"""What the commands share: their options, what they say, which peers are there, and the report at the end."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from peers import Peer
from tables import Value, table, words

Results = dict[str, dict[str, list[Value]]]  # of a figure, its values by peer, one of each repeat
Figures = Mapping[str, Value]
AnyPeer = TypeVar("AnyPeer", bound=Peer)


def add_options(parser: argparse.ArgumentParser, known: Sequence[Peer], repeats: int) -> None:
    """The options of every benchmark."""
    names = [peer.name for peer in known]
    parser.add_argument("--repeats", type=int, default=repeats, help=f"trials of each measure (default {repeats})")
    parser.add_argument("--peers", type=list_of(names), default=names, help=",".join(names))
    parser.add_argument("--calm-seconds", type=float, default=3, help="how long to wait for a busy machine (default 3)")
    parser.add_argument("--json", type=Path, help="write every value to this file")


def list_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """What reads an option that names some of these, with commas between."""

    def parse(text: str) -> list[str]:
        chosen = [word for word in text.split(",") if word]
        for word in chosen:
            if word not in known:
                raise argparse.ArgumentTypeError(f"'{word}' is none of {', '.join(known)}")
        return chosen

    return parse


def available(peers: Sequence[AnyPeer], names: Sequence[str]) -> list[AnyPeer]:
    """Those of the peers that are asked for and can be measured here; says why others cannot."""
    found = []
    for peer in peers:
        if peer.name not in names:
            continue
        if reason := peer.missing():
            say(f"skipped {peer.name}: {reason}")
        else:
            found.append(peer)
    return found


def exit_on_signals() -> None:
    """Leave by an exception, so that what was started is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))


def say(text: str) -> None:
    """Tell what is going on."""
    print(text, file=sys.stderr, flush=True)


def brief(figures: Figures) -> str:
    """The figures of one trial in a line."""
    shown = (f"{value:.3f}" if isinstance(value, float) else str(value) for value in figures.values())
    return ", ".join(f"{figure} {value}" for figure, value in zip(figures, shown, strict=True)) or "failed"


def keep(results: Results, peer: Peer, figures: Figures) -> None:
    """Add the figures of one trial to the results."""
    for figure, value in figures.items():
        results.setdefault(figure, {}).setdefault(peer.name, []).append(value)


def report(
    machine: str,
    options: argparse.Namespace,
    peers: Sequence[Peer],
    results: Results,
    failures: Sequence[str],
    compared: Sequence[tuple[str, str]],
) -> int:
    """Print the table, and write the file that was asked for; the exit code: 1 when a measure failed."""
    figures = table(results, [peer.name for peer in peers], compared)
    print(f"{machine}; {options.repeats} repeats, median (minimum to maximum)\n\n{figures}")
    if sentences := words(results):
        print(f"\n{sentences}")
    if options.json is not None:
        document = {"machine": machine, "repeats": options.repeats, "figures": results, "failures": failures}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for failure in failures:
        say(f"FAILED {failure}")
    return 1 if failures else 0
