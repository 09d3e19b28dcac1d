"""Model, step, checkpoints and refusals with a real PyTorch, in one process."""

from __future__ import annotations

import pytest

from tests.recipes.pytorch.names import NAMES


@pytest.mark.parametrize("promise", NAMES)
def test_a_promise_is_kept(promise: str, kept_with_torch: dict[str, str]) -> None:
    assert not kept_with_torch[promise], kept_with_torch[promise]
