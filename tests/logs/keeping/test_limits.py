"""NPU_LAUNCH_KEEP says in a few characters how much is kept, and for how long."""

from __future__ import annotations

import pytest

from launcher.errors import UsageError
from launcher.logs.keeping.limits import Keep, kept, parse_keep

GB, DAY = 1 << 30, 86400.0


@pytest.mark.parametrize(
    ("text", "keep"),
    (
        ("", Keep(50 * GB, 90 * DAY)),
        ("20GB,30d", Keep(20 * GB, 30 * DAY)),
        ("30d , 1.5 TB", Keep(1536 * GB, 30 * DAY)),
        ("100 MB", Keep(100 << 20, None)),
        ("12h", Keep(None, DAY / 2)),
        ("2w", Keep(None, 14 * DAY)),
        ("0d", Keep(None, 0.0)),
        ("all", Keep(None, None)),
    ),
)
def test_a_size_an_age_or_both_in_any_order(text: str, keep: Keep) -> None:
    assert parse_keep(text) == keep


@pytest.mark.parametrize("text", ("50GB,", "d", "1GB,2GB", "1d,2d", "50 apples", "-1d", "1GB 2d", "all,1d", "0"))
def test_anything_else_is_an_error_that_says_what_is_expected(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPU_LAUNCH_KEEP", text)
    with pytest.raises(UsageError, match="NPU_LAUNCH_KEEP") as error:
        kept()
    assert "50GB,90d" in error.value.expected
