"""Measures npu-launch side by side with torchrun, msrun and the least that a launcher can do.

    python benchmarks/launch.py [--repeats 5] [--only launch,fault,...] [--peers npu-launch,torchrun,...] [--json FILE]

Prints one Markdown table; what is going on goes to stderr. TORCH_VENV, NVRX_VENV and MINDSPORE_VENV name the virtual
environments of torchrun, ft_launcher and msrun, NPU_LAUNCH_VENV that of npu-launch; each is looked for in the running
environment without it.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product

from command import Results, add_options, available, brief, exit_on_signals, keep, list_of, report, say
from machine import describe, wait_until_calm
from measures import ALONE, MEASURES, REPEATS_AT_MOST, Figures, Settings
from peers import ALL, Peer
from trial import Session, TrialError, new_base, open_peer

_COMPARED = tuple(product(("npu-launch", "npu-launch-warm"), ("torchrun", "ft_launcher", "msrun")))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 when a measure failed."""
    options = _options(argv)
    exit_on_signals()
    machine = describe()
    peers = available(ALL, options.peers)
    session = Session(new_base())
    benchmark = _Benchmark(session, peers, options)
    try:
        benchmark.warm_up()
        for name in options.only:
            benchmark.measure(name)
    except KeyboardInterrupt:
        benchmark.failures.append("interrupted: what follows is what there was")
    finally:
        session.end()
    return report(machine, options, peers, benchmark.results, benchmark.failures, _COMPARED)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, ALL, repeats=5)
    parser.add_argument("--only", type=list_of(list(MEASURES)), default=list(MEASURES), help=",".join(MEASURES))
    parser.add_argument("--lines", type=int, default=200_000, help="log lines of each rank (default 200000)")
    parser.add_argument("--idle-seconds", type=float, default=10, help="how long idle CPU is watched (default 10)")
    return parser.parse_args(argv)


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
                    keep(self.results, peer, figures or {})
                    say(f"{name} {repeat + 1} {peer.name} ({busy:.0f} % busy before): {brief(figures or {})}")

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


if __name__ == "__main__":
    sys.exit(main())
