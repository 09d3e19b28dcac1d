"""The connection of a process that does nothing else to the shim of its host: events come, and reports go."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from launcher.runs.events import Event, decode

_PATIENCE: Final = 5.0  # seconds for the shim to take something


class ShimGone(Exception):
    """The shim has ended."""


class ShimEvents:
    """All events that a shim has told or will tell. Raises ShimGone, in the beginning as well as later."""

    def __init__(self, path: Path) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(_PATIENCE)
        self._received = b""
        try:
            self._connection.connect(str(path))
        except OSError as error:
            raise ShimGone(f"{path}: {error}") from error
        self._send({"op": "follow", "after": 0, "watches": True})

    def take(self, patience: float) -> list[Event]:
        """What has come, as soon as there is a whole event; nothing after so many seconds."""
        deadline = time.monotonic() + patience
        while select.select([self._connection], [], [], max(deadline - time.monotonic(), 0.0))[0]:
            try:
                data = self._connection.recv(1 << 16)
            except OSError as error:
                raise ShimGone(str(error)) from error
            if not data:
                raise ShimGone
            *lines, self._received = (self._received + data).split(b"\n")
            if events := [event for line in lines if (event := decode(line)) is not None]:
                return events
        return []

    def report(self, fault: Mapping[str, Any]) -> None:
        """Have a fault written down; it comes back as an event."""
        self._send({"op": "report", "fault": fault})

    def close(self) -> None:
        self._connection.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise ShimGone(str(error)) from error
