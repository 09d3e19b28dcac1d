"""How fast fold and policy are: a job of 10,000 ranks on 1,250 hosts, with faults, and no process."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launcher.runs.events import Decided, decode, encode
from launcher.runs.fold import fold
from launcher.specs import RestartPolicy
from tests.supervise.simulation import World, cluster_of, job, random_faults

_BETWEEN = 100.0  # seconds of the run from fault to fault, on average; a job without any takes 1000
_SPARE_HOSTS = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=10_000)
    parser.add_argument("--hosts", type=int, default=1_250)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", choices=[policy.value for policy in RestartPolicy], default="group")
    options = parser.parse_args()

    devices = -(-options.ranks // options.hosts)
    hosts = options.hosts + max(1, round(options.hosts * _SPARE_HOSTS))
    random = Random(options.seed)
    faults = random_faults(random, options.faults, options.ranks, _BETWEEN * options.faults)
    recipe = job(options.ranks, RestartPolicy(options.policy), max_restarts=10 * options.faults, without_progress=0)
    world = World(recipe, cluster_of(hosts, devices), faults, options.seed)

    idle = _peak()
    began = time.perf_counter()
    state = world.run()
    wall = time.perf_counter() - began
    grown = _peak() - idle
    began = time.process_time()
    assert fold(world.record) == state
    folded = time.process_time() - began
    lines = [encode(event) for event in world.record]
    began = time.process_time()
    for line in lines:
        decode(line)
    decoded = time.process_time() - began

    figures, events = world.figures, len(world.record)
    kinds = Counter(event.decision for event in world.record if isinstance(event, Decided))
    decisions = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"ranks, hosts     {options.ranks} on {options.hosts} ({hosts - options.hosts} more to spare)")
    print(f"faults           {options.faults}, seed {options.seed}, policy {options.policy}")
    print(f"ended            {state.phase.value} after {world.now:.0f} s of the run: {state.reason}")
    print(f"attempts         {len(state.attempts)}")
    print(f"decisions        {figures.decisions}, of which written down: {decisions}")
    print(
        f"events           {events} in {wall:.1f} s, {figures.events_per_second:,.0f} a second of CPU in fold, policy"
    )
    print(f"first read       {events / folded:,.0f} events a second folded at once, {events / decoded:,.0f} decoded")
    print(f"memory           {grown / 1024:.0f} MiB more at its peak, record and simulated hosts included")


def _peak() -> int:
    """The most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
