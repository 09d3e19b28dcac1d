"""Keeps Ray up on this machine between runs, or lets it go."""

from __future__ import annotations

import asyncio

from launcher.errors import UsageError

_LOOKS = 20
_PAUSE = 0.1  # seconds


def bring_up() -> str:
    """Start Ray, if it is not up, and have it stay; its address. Raises InfrastructureError when it does not come."""
    from launcher.supervise.on_ray.hold import stay

    return asyncio.run(stay())


def take_down() -> bool:
    """End a Ray that was told to stay, and wait until it is gone; False when none was up.

    Raises UsageError while runs hold it: it then goes when the last of them has ended.
    """
    return asyncio.run(release_and_wait())


async def release_and_wait(cluster: str | None = None) -> bool:
    """The same for the Ray whose head is on this host for the cluster with this id, or this machine's own."""
    from launcher.supervise.on_ray.hold import gone, release

    for _ in range(_LOOKS):  # the lease of a run that has just ended is still on its way out
        holders = await release(cluster)
        if holders is None:
            return False
        if holders == 0:
            await gone(cluster)
            return True
        await asyncio.sleep(_PAUSE)
    raise UsageError("a run is using Ray; Ray goes when the run has ended", remedy="npu-launch ps shows the runs")
