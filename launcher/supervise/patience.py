"""Waiting for something no longer than so many seconds."""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from typing import TypeVar

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

Result = TypeVar("Result")


async def within(awaitable: Awaitable[Result], seconds: float | None) -> Result:
    """What it comes to; None waits for ever. Raises asyncio.TimeoutError, when it has been cancelled.

    Not asyncio.wait_for: before Python 3.12 that loses a cancellation which comes just when the awaitable ends
    (https://github.com/python/cpython/issues/86296).
    """
    async with timeout(seconds):
        return await awaitable
