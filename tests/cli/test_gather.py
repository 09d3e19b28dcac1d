"""`npu-launch gather`: how much is kept of each host."""

from __future__ import annotations

import pytest

from launcher.cli.gather import parse_size
from launcher.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("65536", 1 << 16),
        ("64KiB", 1 << 16),
        ("64K", 1 << 16),
        ("512MiB", 512 << 20),
        ("512 M", 512 << 20),
        ("2GiB", 2 << 30),
    ],
)
def test_a_limit_is_a_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1MiB", "1.5GiB", "63KiB", "5 apples", "1e9", "MiB", "1" * 20])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--limit"):
        parse_size(text)
