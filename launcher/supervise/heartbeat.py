"""Whether a host answers: our own heartbeat, because Ray does not notice an agent that hangs (facts/ray.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from launcher.runs.events import Event, HostBack, HostSuspected, HostUnreachable
from launcher.runs.state import Reach, RunState
from launcher.supervise.link import LinkLost
from launcher.supervise.patience import within

PERIOD = 1.0  # seconds between two beats
SUSPECT_AFTER = 3.0  # seconds without an answer
UNREACHABLE_AFTER = 10.0  # seconds without an answer


def reach_after(silence: float) -> Reach | None:
    """What a silence of so many seconds means; None when it means nothing."""
    if silence >= UNREACHABLE_AFTER:
        return Reach.UNREACHABLE
    return Reach.SUSPECTED if silence >= SUSPECT_AFTER else None


def reach_now(before: Reach | None, silence: float, *, answered: bool, is_busy: bool) -> Reach | None:
    """Whether a host can be reached, after another beat and so many seconds without an answer.

    Only an answer makes it better: a host that was given up does not come back by having nothing to do. And only one
    that runs something is missed.
    """
    if answered:
        return None
    if not is_busy or before is Reach.UNREACHABLE:
        return before
    return reach_after(silence) or before


def change_of_reach(host: str, before: Reach | None, now: Reach | None, heard: float, time: float) -> Event | None:
    """What to write down when a host answers otherwise than before; `heard` is when it did last."""
    if now is before:
        return None
    if now is Reach.UNREACHABLE:
        return HostUnreachable(time=time, host=host, heard=heard)
    return HostSuspected(time=time, host=host) if now is Reach.SUSPECTED else HostBack(time=time, host=host)


def is_cut_off(silences: Collection[float], lease: float, *, gang: bool) -> bool:
    """Whether the home must not renew its own ranks' lease, when other busy hosts were silent for so many seconds.

    The others may go on without it, under another home. The ranks of a gang end everywhere at about the same time then,
    which costs nothing: without the others it cannot go on here. Independent ranks can, and are given up only when
    nobody has answered for the time of a lease, or for as long as it takes to give a host up where that is longer.
    """
    return bool(silences) and min(silences) > (SUSPECT_AFTER if gang else max(lease, UNREACHABLE_AFTER))


async def keep_in_touch(
    host: str, renew: Callable[[], Awaitable[None]], state: Callable[[], RunState], tell: Callable[[Event], None]
) -> None:
    """Renew a host's lease every second, for ever; `tell` it when the host stops to answer, or answers again.

    `state` is what the record says: another supervisor goes on from there. Whoever could not ask, because this process
    was held up itself, has not been left without an answer.
    """
    heard, heard_at = time.time(), time.monotonic()
    asked_at = heard_at
    while True:
        began = time.monotonic()
        answered = False
        with suppress(LinkLost, asyncio.TimeoutError):
            await within(renew(), PERIOD)
            answered = True
        now = state()
        is_busy = now.attempt is not None and host in now.attempt.busy_hosts
        was_held_up = began - asked_at > SUSPECT_AFTER or time.monotonic() - began > PERIOD + SUSPECT_AFTER
        if answered or not is_busy or was_held_up:
            heard, heard_at = time.time(), time.monotonic()
        asked_at = began
        unwell = now.unwell_hosts.get(host)
        before = unwell.reach if unwell else None
        reach = reach_now(before, time.monotonic() - heard_at, answered=answered, is_busy=is_busy)
        event = change_of_reach(host, before, reach, heard, time.time())
        if event is not None:
            tell(event)
        await asyncio.sleep(max(0.0, began + PERIOD - time.monotonic()))
