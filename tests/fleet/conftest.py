"""The machines that these tests share."""

from __future__ import annotations

import os

import pytest

from tests.machines import missing


@pytest.fixture(scope="session", autouse=True)
def _machines_can_be_made() -> None:
    reason = missing()
    if reason:
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
