"""A command on another host that is talked with while it runs, in place of one that is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Window:
    """A terminal as the command there is to see it: its kind (TERM), and how many characters it shows."""

    term: str
    columns: int
    rows: int


class Session(Protocol):
    """A command that runs on a host. All that raises here raises InfrastructureError, when the host was lost."""

    @property
    def pid(self) -> int | None:
        """Its process there, as soon as it has begun."""
        ...

    def fileno(self) -> int:
        """A descriptor that can be read from when there may be something to take, and ever after the end."""
        ...

    def take(self) -> tuple[bytes, bytes] | None:
        """What it wrote on its outputs since the last time; at a terminal all is on the first. None at the end."""
        ...

    def send(self, data: bytes) -> None:
        """Give it input; what it does not take any more is dropped."""
        ...

    def resize(self, window: Window) -> None:
        """Its terminal has another size."""
        ...

    def code(self) -> int:
        """How it ended, below 0 by a signal, as in `subprocess`; asked at its end."""
        ...

    def close(self) -> None:
        """Nobody listens any more: its input ends, and its terminal hangs up."""
        ...
