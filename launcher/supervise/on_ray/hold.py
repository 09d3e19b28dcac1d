"""Leases on Ray: it comes up with the first and goes with the last.

Everywhere `cluster` is the id of a cluster whose head is on this host; None is this machine's own little Ray.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from launcher.supervise.on_ray.service import head_service, ray_directory
from launcher.supervise.on_ray.terms import own_membership

__all__ = ["Lease", "gone", "head_lock", "hold", "ray_directory", "release", "remove_remains", "stay"]


def head_lock(cluster: str | None = None) -> Path:
    """The file that the process keeping Ray's head holds a lock on."""
    return head_service(cluster).lock


class Lease:
    """Keeps Ray up until it is closed, or until this process ends, however it ends.

    A Ray that somebody else keeps needs no lease from us: then there is no `writer`.
    """

    def __init__(self, address: str, writer: asyncio.StreamWriter | None = None) -> None:
        self.address = address
        self._writer = writer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


async def hold(cluster: str | None = None) -> Lease:
    """Bring Ray up, or join it where it is up.

    A cluster's Ray that dies is started again at the same address while it is held. Raises InfrastructureError with
    Ray's last words when it does not come.
    """
    if external := _external(cluster):
        return Lease(external)
    answer, writer = await head_service(cluster).ask("hold", start=True)
    return Lease(str(answer["address"]), writer)


async def stay(cluster: str | None = None) -> str:
    """Bring Ray up and have it stay when its last run has ended; its address. Raises InfrastructureError."""
    if external := _external(cluster):
        return external
    answer, writer = await head_service(cluster).ask("stay", start=True)
    writer.close()
    return str(answer["address"])


async def release(cluster: str | None = None) -> int | None:
    """Let Ray go when its last run has ended; how many runs hold it still, or None when no Ray of ours is up."""
    try:
        answer, writer = await head_service(cluster).ask("release", start=False)
    except ConnectionError:
        return None
    writer.close()
    return int(str(answer["holders"]))


async def gone(cluster: str | None = None) -> None:
    """Wait until the head has ended and everything of Ray with it."""
    await head_service(cluster).gone()


async def remove_remains(cluster: str | None = None) -> None:
    """Remove what a head that was killed has left; returns at once where none was, or one lives, which ends itself."""
    await head_service(cluster).remove_remains()


def _external(cluster: str | None) -> str | None:
    """The address of the cluster's Ray where somebody else keeps it. Raises InfrastructureError."""
    return own_membership(cluster).external if cluster else None
