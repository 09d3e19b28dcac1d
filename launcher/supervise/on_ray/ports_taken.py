"""Whether the ports that Ray is to have are free, and who has them when they are not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from contextlib import suppress

from launcher.errors import InfrastructureError

_PATIENCE = 5.0  # seconds for what is just ending to let go of its ports
_PAUSE = 0.1


class PortTaken(InfrastructureError):
    """Somebody else listens where Ray is to listen; that does not pass by itself."""


async def wait_until_free(ports: Iterable[int]) -> None:
    """Return when nobody listens on any of these TCP ports. Raises PortTaken after some seconds."""
    deadline = time.monotonic() + _PATIENCE
    while (taken := next((port for port in ports if not _is_free(port)), None)) is not None:
        if time.monotonic() > deadline:
            raise PortTaken(
                f"port {taken}, which Ray needs, is taken by {_holder(taken)}",
                expected="64 ports that nobody else listens on, on every host of the cluster",
                remedy="end that process, or set another first port: `ray: {port: N}` in the cluster spec",
            )
        await asyncio.sleep(_PAUSE)


def _is_free(port: int) -> bool:
    """Whether Ray, which listens on all addresses, could listen; connections that have just ended do not matter."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    import psutil

    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                process = psutil.Process(connection.pid)
                return f"process {process.pid} of {process.username()}: {' '.join(process.cmdline())[:80]}"
    return "a process that you may not see"
