"""Ends a process that keeps Ray, whatever state it is in."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from launcher.supervise.on_ray.service import Service
from launcher.supervise.patience import within

_PATIENCE = 10.0  # seconds for one that was asked to leave


async def end_service(service: Service) -> None:
    """Return when it is gone and everything of its Ray with it; one that does not answer is killed."""
    if service.is_up:
        with suppress(OSError, asyncio.TimeoutError):
            await within(_leave(service), _PATIENCE)
        if service.is_up:
            with suppress(OSError, ValueError):  # it has just ended, or not begun to say who it is
                os.kill(int(service.lock.read_text()), signal.SIGKILL)
            await service.gone()
    if service.directory.exists():
        from launcher.supervise.on_ray.ray_process import RayProcess

        await RayProcess(service.directory).end()
        await service.remove_remains()


async def _leave(service: Service) -> None:
    _, writer = await service.ask("leave", start=False)
    writer.close()
    await service.gone()
