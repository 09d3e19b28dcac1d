"""By how much a host's clock differs from ours: what hosts tell is put in order by one clock."""

from __future__ import annotations

_WORTH_CORRECTING = 0.5  # seconds; clocks that are kept differ by milliseconds
_WORTH_TELLING = 1.0  # seconds
_CHANGED = 0.25  # seconds; less is how much two measurements differ by themselves
_SLOWEST = 1.0  # seconds; an answer that took longer tells little


class ClockOffset:
    """One host's clock, measured again and again; `seconds` are to be added to a time that it tells.

    The offset stays what it was until the clock has certainly been set: an offset that wavered would change the order
    of what the host tells.
    """

    def __init__(self) -> None:
        self._measured: float | None = None
        self._within = 0.0  # seconds that the measurement may be off
        self._told = 0.0

    @property
    def is_known(self) -> bool:
        """Whether the clock was measured at all."""
        return self._measured is not None

    @property
    def seconds(self) -> float:
        """How far the host's clock is behind ours; 0 when that is too little to matter."""
        measured = self._measured or 0.0
        return measured if abs(measured) >= _WORTH_CORRECTING else 0.0

    @property
    def behind(self) -> float:
        """The same for the times in its logs, of which those that are close together matter, too.

        0 only when the measurement cannot tell the two clocks apart.
        """
        measured = self._measured or 0.0
        return measured if abs(measured) > self._within else 0.0

    def measure(self, host: str, asked: float, theirs: float, answered: float) -> str | None:
        """Take a measurement: what the host's clock showed between two moments of ours, all in seconds since the epoch.

        What people should know of it as a sentence, once.
        """
        tolerance = _CHANGED + (answered - asked) / 2
        offset = (asked + answered) / 2 - theirs
        if self._measured is not None and (answered - asked > _SLOWEST or abs(offset - self._measured) <= tolerance):
            return None
        self._measured = offset
        self._within = (answered - asked) / 2
        if abs(self.seconds - self._told) < _WORTH_TELLING:
            return None
        self._told = self.seconds
        if not self.seconds:
            return f"the clock of {host} is right again"
        return (
            f"the clock of {host} is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}; "
            "what the host tells is put in order by the clock of the run's home, its logs have its own times"
        )
