"""Tells which hosts are in a Ray, until it is killed: a JSON list of addresses, a line each time it changes.

Run as `python -m launcher.supervise.on_ray.present ADDRESS`, on a host that is in it. A process of its own, because Ray
hangs where there is no node, and aborts a process that has lost the head.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import ray

from launcher.supervise.on_ray.remote import answers

_PAUSE = 0.2  # seconds between looks


def main() -> None:
    """Entry point: ADDRESS."""
    told = answers()
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
    before: list[str] | None = None
    while True:
        now = sorted(node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"])  # type: ignore[no-untyped-call]
        if now != before:
            print(json.dumps(now), file=told)
        before = now
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
