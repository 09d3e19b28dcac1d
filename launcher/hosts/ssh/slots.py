"""How many channels may be open at once on a connection: ten, or what the server turns out to allow."""

from __future__ import annotations

import threading
import time

MOST = 10  # sshd's own default (MaxSessions)


class Slots:
    """Places for channels. Any thread takes one and gives it back."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0
        self._limit = MOST

    def take(self, deadline: float) -> int | None:
        """Take a place when there is one: how many others are taken then, or None when the time was over first."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken < self._limit, deadline - time.monotonic()):
                return None
            self._taken += 1
            return self._taken - 1

    def give_back(self) -> None:
        """A place is free again."""
        with self._changed:
            self._taken -= 1
            self._changed.notify()

    def learn(self, limit: int) -> None:
        """The server opened no more than so many."""
        with self._changed:
            self._limit = max(1, min(self._limit, limit))
