"""Ray comes with the first lease and goes with the last, whatever the order of things."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from launcher.runs.home import runtime_path
from launcher.runs.lock import is_held
from launcher.supervise.on_ray.hold import gone, head_lock, hold, release, stay
from launcher.supervise.warm import take_down

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize("pause", [0, 0.05, 0.3])
def test_a_lease_taken_while_ray_is_going_down_is_on_a_ray_that_stays(pause: float) -> None:
    async def take_two() -> None:
        with await hold():
            pass
        await asyncio.sleep(pause)
        with await hold() as lease:
            host, _, port = lease.address.rpartition(":")
            for _ in range(10):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                await asyncio.sleep(0.1)

    asyncio.run(take_two())
    asyncio.run(gone())


def test_two_leases_share_one_ray() -> None:
    async def take_two() -> tuple[str, str]:
        with await hold() as first, await hold() as second:
            return first.address, second.address

    first, second = asyncio.run(take_two())
    assert first == second
    asyncio.run(gone())


def test_a_ray_that_was_told_to_stay_stays_until_it_is_released() -> None:
    async def stay_and_hold() -> None:
        address = await stay()
        with await hold() as lease:
            assert lease.address == address
        await asyncio.sleep(0.5)
        assert is_held(head_lock())

    asyncio.run(stay_and_hold())
    assert take_down()
    assert not is_held(head_lock())
    assert not take_down()


def test_asking_for_a_ray_that_is_not_there_makes_nothing() -> None:
    assert asyncio.run(release()) is None
    assert not runtime_path().exists()


def test_a_ray_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise SystemExit('no ray today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def take() -> None:
        with pytest.raises(Exception, match="no ray today"):
            await hold()

    asyncio.run(take())
    asyncio.run(gone())


def test_ray_ends_with_a_head_that_is_killed(home: Path) -> None:
    async def kill_the_head() -> None:
        with await hold():
            for process in psutil.process_iter(["cmdline", "environ"]):
                command, environment = process.info["cmdline"] or [], process.info["environ"] or {}
                if "launcher.supervise.on_ray.head" in command and environment.get("NPU_LAUNCH_HOME") == str(home):
                    process.kill()
        with await hold() as lease:
            assert lease.address

    asyncio.run(kill_the_head())
    asyncio.run(gone())
