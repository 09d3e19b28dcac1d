"""Asks every host of a run about its own processes: a process id means something on its host alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from launcher.errors import NpuLaunchError
from launcher.supervise.link import HostLink, LinkLost
from launcher.supervise.patience import within
from launcher.supervise.watch.dump import dump, stacks_of
from launcher.supervise.watch.processor import Use, use_of
from launcher.supervise.watch.stacks import OUT_OF_REACH, RankStack

_log = logging.getLogger(__name__)
_USE_PATIENCE = 5.0  # seconds
_STACKS_PATIENCE = 45.0  # seconds; for 8 ranks on which py-spy hangs

Pids: TypeAlias = Mapping[str, Mapping[int, int]]  # by host: process ids by rank
LinkOf: TypeAlias = Callable[[str], HostLink | None]
Answer = TypeVar("Answer")


async def use_on(pids: Pids, now: float, link_of: LinkOf) -> Use:
    """What the ranks of all hosts have used up to now; those of a host that does not answer are left out."""

    async def one(host: str) -> Use | None:
        return await _ask(link_of(host), host, _USE_PATIENCE, use_of, pids[host], now)

    uses = [use for use in await asyncio.gather(*map(one, pids)) if use is not None]
    return Use(
        at=now,
        seconds={rank: seconds for use in uses for rank, seconds in use.seconds.items()},
        moved={rank: moved for use in uses for rank, moved in use.moved.items()},
        held=frozenset(rank for use in uses for rank in use.held),
    )


async def stacks_on(pids: Pids, link_of: LinkOf) -> list[RankStack]:
    """The stacks of the ranks of all hosts, in the order of ranks; never raises."""

    async def one(host: str) -> list[RankStack]:
        link = link_of(host)
        if link is not None and link.is_home:
            return await dump(pids[host])  # which ends its py-spy when it is cancelled
        stacks = await _ask(link, host, _STACKS_PATIENCE, stacks_of, pids[host])
        return [RankStack(*known, problem=OUT_OF_REACH) for known in pids[host].items()] if stacks is None else stacks

    found = await asyncio.gather(*map(one, pids))
    return sorted((stack for stacks in found for stack in stacks), key=lambda stack: stack.rank)


async def _ask(
    link: HostLink | None, host: str, patience: float, work: Callable[..., Answer], *arguments: object
) -> Answer | None:
    """What a function of ours says on a host; None when the host does not answer within so many seconds."""
    if link is None:
        return None
    try:
        return await within(link.there(work, *arguments), patience)
    except (LinkLost, NpuLaunchError, OSError, asyncio.TimeoutError) as error:
        _log.info("%s does not tell what its ranks do: %r", host, error)
        return None
