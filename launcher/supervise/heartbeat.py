"""Whether a host answers: our own heartbeat, because Ray does not notice an agent that hangs (facts/ray.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from launcher.runs.events import Event, HostBack, HostSuspected, HostUnreachable
from launcher.runs.state import Reach, RunState
from launcher.supervise.link import HostLink, LinkLost

PERIOD = 1.0  # seconds between two beats
SUSPECT_AFTER = 3.0  # seconds without an answer
UNREACHABLE_AFTER = 10.0  # seconds without an answer


def reach_after(silence: float) -> Reach | None:
    """What a silence of so many seconds means; None when it means nothing."""
    if silence >= UNREACHABLE_AFTER:
        return Reach.UNREACHABLE
    return Reach.SUSPECTED if silence >= SUSPECT_AFTER else None


def change_of_reach(host: str, before: Reach | None, now: Reach | None, heard: float, time: float) -> Event | None:
    """What to write down when a host answers otherwise than before; `heard` is when it did last."""
    if now is before:
        return None
    if now is Reach.UNREACHABLE:
        return HostUnreachable(time=time, host=host, heard=heard)
    return HostSuspected(time=time, host=host) if now is Reach.SUSPECTED else HostBack(time=time, host=host)


async def keep_in_touch(
    host: str, link: HostLink, state: Callable[[], RunState], tell: Callable[[Event], None]
) -> None:
    """Renew a host's lease every second, for ever; `tell` it when the host stops to answer, or answers again.

    A host that runs nothing is left alone. `state` is what the record says: another supervisor goes on from there.
    """
    heard, heard_at = time.time(), time.monotonic()
    while True:
        began = time.monotonic()
        answered = False
        with suppress(LinkLost, asyncio.TimeoutError):
            await asyncio.wait_for(link.renew(), PERIOD)
            answered = True
        now = state()
        if answered or now.attempt is None or host not in now.attempt.busy_hosts:
            heard, heard_at = time.time(), time.monotonic()
        unwell = now.unwell_hosts.get(host)
        reach = reach_after(time.monotonic() - heard_at)
        event = change_of_reach(host, unwell.reach if unwell else None, reach, heard, time.time())
        if event is not None:
            tell(event)
        await asyncio.sleep(max(0.0, began + PERIOD - time.monotonic()))
