"""Waiting that ends in time, and hears every cancellation."""

from __future__ import annotations

import asyncio

import pytest

from launcher.supervise.patience import within


def test_what_comes_in_time_is_returned() -> None:
    assert asyncio.run(within(asyncio.sleep(0, "there"), 60)) == "there"
    assert asyncio.run(within(asyncio.sleep(0, "there"), None)) == "there"


def test_what_does_not_come_is_cancelled() -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("slow")

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(within(slow(), 0.01))
    assert ended == ["slow"]


def test_a_cancellation_is_heard_just_when_the_answer_comes() -> None:
    async def both_at_once() -> None:
        answer = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(within(answer, 60))
        await asyncio.sleep(0)
        answer.set_result(None)
        waiting.cancel()
        await waiting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(both_at_once())
