"""Lines that are followed on another host arrive once, whatever is killed on their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.cli import log_relay
from tests.logs.lossless import follow_through_kills


def test_each_line_is_seen_once_while_writers_agent_and_readers_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(log_relay, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(log_relay, "_LONGEST_PAUSE", 0.01)
    arrived = follow_through_kills(4, 4000, 0.004, 2, tmp_path / "shown")
    assert (arrived.missing, arrived.repeated) == (0, 0)
    assert min(arrived.kills[kind] for kind in ("writer", "agent", "reader")) >= 2, arrived.kills
