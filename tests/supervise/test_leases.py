"""Ray comes with the first lease and goes with the last, whatever the order of things."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from launcher.runs.record import is_held
from launcher.runs.store import runtime_path
from launcher.supervise.on_ray.hold import gone, head_lock, hold, release, stay

pytestmark = pytest.mark.usefixtures("home")


def test_a_lease_taken_while_ray_is_going_down_gets_the_next_ray() -> None:
    async def take_two() -> tuple[str, str]:
        with await hold() as first:
            pass
        with await hold() as second:
            return first.address, second.address

    first, second = asyncio.run(take_two())
    assert first != second
    asyncio.run(gone())


def test_two_leases_share_one_ray() -> None:
    async def take_two() -> tuple[str, str]:
        with await hold() as first, await hold() as second:
            return first.address, second.address

    first, second = asyncio.run(take_two())
    assert first == second
    asyncio.run(gone())


def test_a_ray_that_was_told_to_stay_stays_until_it_is_released() -> None:
    async def stay_and_release() -> int | None:
        address = await stay()
        with await hold() as lease:
            assert lease.address == address
        assert is_held(head_lock())
        return await release()

    assert asyncio.run(stay_and_release()) == 0
    asyncio.run(gone())


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
