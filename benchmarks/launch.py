"""Measures npu-launch side by side with torchrun, msrun and the least that a launcher can do.

    python benchmarks/launch.py [--repeats 5] [--only launch,fault,...] [--peers npu-launch,torchrun,...] [--json FILE]

Prints one Markdown table; what is going on goes to stderr. TORCH_VENV and MINDSPORE_VENV name the virtual environments
of torchrun and msrun, NPU_LAUNCH_VENV that of npu-launch; each is looked for in the running environment without it.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from machine import describe, wait_until_calm
from measures import ALONE, MEASURES, REPEATS_AT_MOST, Figures, Settings
from peers import ALL, Peer
from tables import Value, table, words
from trial import Session, TrialError, open_peer

Results = dict[str, dict[str, list[Value]]]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 when a measure failed."""
    options = _options(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    machine = describe()
    peers = _available(options.peers)
    session = Session(_short_folder())
    benchmark = _Benchmark(session, peers, options)
    try:
        benchmark.warm_up()
        for name in options.only:
            benchmark.measure(name)
    except KeyboardInterrupt:
        benchmark.failures.append("interrupted: what follows is what there was")
    finally:
        session.end()
    names = [peer.name for peer in peers]
    print(f"{machine}; {options.repeats} repeats, median (minimum to maximum)\n\n{table(benchmark.results, names)}")
    if sentences := words(benchmark.results):
        print(f"\n{sentences}")
    if options.json is not None:
        document = {
            "machine": machine,
            "repeats": options.repeats,
            "figures": benchmark.results,
            "failures": benchmark.failures,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for failure in benchmark.failures:
        _say(f"FAILED {failure}")
    return 1 if benchmark.failures else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    known = [peer.name for peer in ALL]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="trials of each measure (default 5)")
    parser.add_argument("--only", type=_list_of(list(MEASURES)), default=list(MEASURES), help=",".join(MEASURES))
    parser.add_argument("--peers", type=_list_of(known), default=known, help=",".join(known))
    parser.add_argument("--lines", type=int, default=200_000, help="log lines of each rank (default 200000)")
    parser.add_argument("--idle-seconds", type=float, default=10, help="how long idle CPU is watched (default 10)")
    parser.add_argument("--calm-seconds", type=float, default=3, help="how long to wait for a busy machine (default 3)")
    parser.add_argument("--json", type=Path, help="write every value to this file")
    return parser.parse_args(argv)


def _list_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        chosen = [word for word in text.split(",") if word]
        for word in chosen:
            if word not in known:
                raise argparse.ArgumentTypeError(f"'{word}' is none of {', '.join(known)}")
        return chosen

    return parse


def _available(names: Sequence[str]) -> list[Peer]:
    peers = []
    for peer in ALL:
        if peer.name not in names:
            continue
        if reason := peer.missing():
            _say(f"skipped {peer.name}: {reason}")
        else:
            peers.append(peer)
    return peers


def _short_folder() -> Path:
    """A new private folder; Ray's sockets below it leave it 16 bytes or so."""
    while True:
        folder = Path(tempfile.gettempdir()) / f"b{secrets.token_hex(2)}"
        try:
            folder.mkdir(mode=0o700)
            return folder
        except FileExistsError:
            continue


class _Benchmark:
    """The trials of one session, and what came of them."""

    def __init__(self, session: Session, peers: Sequence[Peer], options: argparse.Namespace) -> None:
        self.results: Results = {}
        self.failures: list[str] = []
        self._session = session
        self._peers = peers
        self._options = options
        self._settings = Settings(lines=options.lines, idle_seconds=options.idle_seconds)

    def warm_up(self) -> None:
        """Launch once with each, so that files are in memory and bytecode is cached."""
        with self._opened("launch"):
            for peer in self._peers:
                self._try(peer, "launch")

    def measure(self, name: str) -> None:
        """One measure: the peers take turns, in another order each time."""
        failed: Counter[str] = Counter()
        with self._opened(name):
            for repeat in range(min(self._options.repeats, REPEATS_AT_MOST.get(name, self._options.repeats))):
                for peer in random.sample(self._peers, len(self._peers)):
                    if failed[peer.name] > 1:
                        continue
                    busy = wait_until_calm(self._options.calm_seconds)
                    figures = self._try(peer, name)
                    failed[peer.name] += figures is None
                    self._keep(peer, figures or {})
                    _say(f"{name} {repeat + 1} {peer.name} ({busy:.0f} % busy before): {_brief(figures or {})}")

    @contextmanager
    def _opened(self, measure: str) -> Iterator[None]:
        """What must be up beforehand is up, except where its memory would be shared with that of others."""
        with ExitStack() as stack:
            if measure not in ALONE:
                for peer in self._peers:
                    open_peer(self._session, peer)
                    stack.callback(peer.close)
            yield

    def _try(self, peer: Peer, measure: str) -> Figures | None:
        try:
            with ExitStack() as stack:
                if measure in ALONE:
                    open_peer(self._session, peer)
                    stack.callback(peer.close)
                return MEASURES[measure](self._session, peer, self._settings)
        except (TrialError, RuntimeError) as error:
            self.failures.append(f"{measure} {peer.name}: {error}")
            return None

    def _keep(self, peer: Peer, figures: Figures) -> None:
        for figure, value in figures.items():
            self.results.setdefault(figure, {}).setdefault(peer.name, []).append(value)


def _brief(figures: Figures) -> str:
    shown = (f"{value:.3f}" if isinstance(value, float) else str(value) for value in figures.values())
    return ", ".join(f"{figure} {value}" for figure, value in zip(figures, shown, strict=True)) or "failed"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
