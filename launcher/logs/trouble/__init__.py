"""Signs that training goes wrong although every rank runs: pure folds over what the lines of one rank say.

All are judged over many step lines, so that ordinary noise is no sign; `docs/recovery.md` has the thresholds.
"""

from __future__ import annotations

from launcher.logs.trouble.health import Health, Sign

__all__ = ["Health", "Sign"]
