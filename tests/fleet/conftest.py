"""The machines that these tests share."""

from __future__ import annotations

import pytest

from tests.machines import need_machines


@pytest.fixture(scope="session", autouse=True)
def _machines_can_be_made() -> None:
    need_machines()
