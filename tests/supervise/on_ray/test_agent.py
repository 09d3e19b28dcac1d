"""What an agent does with a call that comes too late; there is no Ray here."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from launcher.supervise.link import LinkLost
from launcher.supervise.on_ray.agent import Agent, now


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    monkeypatch.setenv("NPU_LAUNCH_HOME", "the agent says where")
    return Agent(str(tmp_path / "home" / "runs" / "test-1a2b"), "node-1")


def test_what_comes_in_time_is_done(agent: Agent) -> None:
    assert asyncio.run(agent.do(now() + 60, os.getpid, ())) == (os.getpid(), None)


def test_what_comes_too_late_is_not_done(agent: Agent, tmp_path: Path) -> None:
    async def call() -> None:
        late = now() - 0.1
        _, error = await agent.do(late, os.mkdir, (tmp_path / "made",))
        assert isinstance(error, LinkLost)
        assert not (tmp_path / "made").exists()
        assert not await agent.send(late, {"op": "launch"})
        assert (await agent.renew(late))[1] is None

    asyncio.run(call())
