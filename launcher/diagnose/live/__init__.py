"""What the rules find in logs while they are written: each log is read once, from where the last look at it ended."""

from __future__ import annotations

from launcher.diagnose.live.scan import LiveScan

__all__ = ["LiveScan"]
