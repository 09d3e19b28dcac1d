"""Waits for the hosts of a cluster to be in its Ray: all at once, and no longer than there is hope."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from launcher.errors import NpuLaunchError
from launcher.specs import Host

_JOIN: Final = 90.0  # seconds for a host to have its Ray up
_SLICE: Final = 10.0  # seconds between looks at how the others fare


class Joining:
    """One wait; `joined` asks a host to answer when it has joined, or has not in so many seconds, or never will.

    A host that says before its time is up that it never will is the reason for what is wrong with others: the head,
    which waits for all, waits no longer then, and where the cluster cannot do without that host, nobody does.
    """

    def __init__(self, joined: Callable[[Host, float], object], head: Host) -> None:
        self._joined = joined
        self._head = head
        self._deadline = time.monotonic() + _JOIN
        self._one_will_not = threading.Event()
        self._all_is_lost = threading.Event()
        self.reasons: set[str] = set()  # the hosts that will not join

    def wait_for(self, host: Host) -> None:
        """Return when the host has joined. Raises InfrastructureError."""
        given_up = self._one_will_not if host.name == self._head.name else self._all_is_lost
        while True:
            began = time.monotonic()
            seconds = max(min(_SLICE, self._deadline - began), 1.0)
            try:
                self._joined(host, seconds)
                return
            except NpuLaunchError:
                if time.monotonic() - began < seconds:
                    self.reasons.add(host.name)
                    self._one_will_not.set()
                    if not host.spare or host.name == self._head.name:
                        self._all_is_lost.set()
                    raise
                if given_up.is_set() or time.monotonic() >= self._deadline:
                    raise
