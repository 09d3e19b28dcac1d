"""No framework: ranks have what all ranks have, and meet, if at all, in their own way."""

from __future__ import annotations

from typing import Final

from launcher.planning.environment.contract import Contract

CONTRACT: Final = Contract(variables=(), of_rank=lambda _job, _seat: {})
