"""Sees to it that the logs of a host's ranks are looked through while these run."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from launcher.errors import NpuLaunchError
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.link import LinkLost
from launcher.supervise.patience import within

_PAUSE: Final = 2.5  # seconds between looks
_LONGEST_PAUSE: Final = 300.0
_SHORT: Final = 5.0  # seconds: nobody is needed for ranks that run no longer
_PATIENCE: Final = 30.0  # seconds for the host to start it
_log = logging.getLogger(__name__)


async def keep_scanning(
    run: RunDirectory, host: str, there: Callable[..., Awaitable[object]], state: Callable[[], RunState]
) -> None:
    """For ever; cancel it. A process that has been killed is replaced, but one that ends again and again less and less.

    `there` calls a function of ours on the host.
    """
    pause = _PAUSE
    while True:
        await asyncio.sleep(pause)
        if not _has_run_for_long(state(), host):
            continue
        try:
            has_started = await within(there(on_host.see_to_scan, run, host), _PATIENCE)
            pause = min(2 * pause, _LONGEST_PAUSE) if has_started else _PAUSE
        except (LinkLost, NpuLaunchError, OSError, asyncio.TimeoutError) as error:
            _log.info("nobody looks through the logs of %s while they are written: %r", host, error)


def _has_run_for_long(state: RunState, host: str) -> bool:
    launched = None if state.attempt is None else state.attempt.launched
    return bool(state.running_on.get(host)) and launched is not None and time.time() - launched >= _SHORT
