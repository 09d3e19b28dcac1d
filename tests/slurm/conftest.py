"""A Slurm of two nodes for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.slurm.small_slurm import SmallSlurm, missing


@pytest.fixture(scope="session")
def slurm() -> Iterator[SmallSlurm]:
    """Two nodes, both on this machine. Needs Slurm and root: without them tests are skipped, but never with CI=true."""
    reason = missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"no Slurm in CI: {reason}")
    if reason:
        pytest.skip(reason)
    started = SmallSlurm(nodes=2)
    try:
        yield started
    finally:
        started.close()
