"""One question to whoever serves a unix socket of a run: its supervisor, or the shim of a host."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PATIENCE = 5.0  # seconds


def converse(path: Path, message: Mapping[str, Any], patience: float | None = _PATIENCE) -> bytes:
    """Send one message to a unix socket; the answer, which is empty when nobody took it or gives one.

    `patience` is how many seconds each part of the answer may take; None is for ever.
    """
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(path))
            connection.sendall(json.dumps(message).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(patience)
            while data := connection.recv(1 << 16):
                answer += data
    except OSError:
        return b""
    return answer
