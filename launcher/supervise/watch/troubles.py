"""Which signs of trouble the record is told of: each once, for all ranks together."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.logs.safe import safe_line
from launcher.logs.trouble import Health, Sign
from launcher.runs.events import Trouble, TroubleFound
from launcher.supervise.watch.sampling import Look

_WIDTH = 300  # characters of the line
_MOST = 20  # of a kind in an attempt: what comes and goes for days does not fill the record


class Troubles:
    """The trouble of an attempt: of a gang, all ranks show it at the same step, and one event says it.

    An episode lasts while any rank is in it. What whoever watched before has told is not told again when it is still
    going on at the first look.
    """

    def __init__(self) -> None:
        self._going_on: set[Trouble] = set()
        self._fresh: list[tuple[Look, Sign]] = []

    def take_in(self, looks: Sequence[Look], ranks: Sequence[Health]) -> None:
        """What new looks at logs showed, and how all the ranks are now."""
        self._going_on &= {kind for health in ranks for kind in health.signs}
        for look in looks:
            for sign in look.signs:
                if sign.kind in self._going_on:
                    continue
                self._going_on.add(sign.kind)
                self._fresh.append((look, sign))

    def to_tell(self, attempt: int, told: Sequence[TroubleFound]) -> list[TroubleFound]:
        """The trouble that has begun since the last time; `told` is what the record has."""
        fresh, self._fresh = self._fresh, []
        known = [trouble.kind for trouble in told if trouble.attempt == attempt]
        return [
            TroubleFound(
                time=look.at,
                attempt=attempt,
                rank=look.rank,
                kind=sign.kind,
                words=sign.words,
                step=sign.step,
                offset=sign.offset,
                line=safe_line(sign.line, _WIDTH),
            )
            for look, sign in fresh
            if known.count(sign.kind) < (1 if look.is_first else _MOST)
        ]
