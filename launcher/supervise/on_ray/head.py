"""The process that keeps one Ray, as long as somebody holds it: this machine's own, or the head of a cluster's.

Run as `python -m launcher.supervise.on_ray.head DIRECTORY LOCK [CLUSTER]`; standard input is a pipe from whoever starts
it. It serves a unix socket; a connection that says `hold` is a lease on Ray, and the kernel ends the lease when its
holder dies. With no lease left, and nobody having asked Ray to stay, Ray is ended and everything of it removed.

The Ray of a cluster lingers for a minute, for its other hosts to come to it, and is started again when it dies: at the
same address, with the same token, so that they come back.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from launcher.errors import InfrastructureError
from launcher.supervise.logging_setup import log_to
from launcher.supervise.on_ray import serving
from launcher.supervise.on_ray.ray_process import RayProcess
from launcher.supervise.on_ray.service import head_service
from launcher.supervise.on_ray.serving import answer, asked, keeping
from launcher.supervise.on_ray.settings import token_path
from launcher.supervise.on_ray.terms import Terms, local_terms
from launcher.supervise.on_ray.upkeep import Upkeep

_LINGER = 60.0  # seconds that a cluster's Ray waits for somebody to hold it


class Head:
    """Serves leases on one Ray."""

    def __init__(self, directory: Path, cluster: str | None) -> None:
        self._directory = directory
        self._ray = RayProcess(directory)
        self._upkeep = Upkeep(self._ray, directory, cluster, _at_once) if cluster else None
        self._once = asyncio.get_running_loop().create_future()
        self._holders = 0
        self._stay = False
        self._linger = 0.0
        self._end: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()

    async def serve(self) -> None:
        """Start Ray, answer until nobody needs it, end it. Raises InfrastructureError."""
        self._reread()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._over.set)
        socket = self._directory / "head.sock"
        work = self._upkeep.keep() if self._upkeep else self._start_once()
        try:
            async with keeping(socket, self._on_connection, work, self._ray):
                starter = os.dup(0)  # a pipe that its starter holds until it has a lease
                loop.add_reader(starter, self._on_starter_gone, starter)
                await self._over.wait()
        finally:
            token_path(self._directory).unlink(missing_ok=True)

    # -- leases ----------------------------------------------------------------------------------------------------

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        op = await asked(reader)
        if self._over.is_set():  # no answer: whoever asks starts the next head
            writer.close()
            return
        self._holders += op == "hold"
        try:
            if op == "release":
                self._stay, self._linger = False, 0.0
                await answer(writer, {"holders": self._holders})
            elif op == "start":
                self._reread()
                await answer(writer, {"running": True})
            elif op == "leave":
                self._over.set()
                await answer(writer, {"leaving": True})
            elif op == "status" and self._upkeep is not None:
                await answer(writer, self._upkeep.status())
            elif op in ("hold", "stay"):
                ready = self._upkeep.ready if self._upkeep else self._once
                closed: asyncio.Future[Any] = asyncio.ensure_future(reader.read())  # the other side closed, or died
                await asyncio.wait([closed, ready], return_when=asyncio.FIRST_COMPLETED)
                if not closed.done():
                    await answer(writer, _address_or_error(ready))
                    self._stay |= op == "stay"
                if op == "hold":
                    await closed
        except OSError:
            pass
        finally:
            self._holders -= op == "hold"
            writer.close()
            self._end_if_unused()

    def _on_starter_gone(self, starter: int) -> None:
        asyncio.get_running_loop().remove_reader(starter)
        self._end_if_unused()

    def _end_if_unused(self) -> None:
        """End now, or, for a cluster's Ray, when nobody has come in a while."""
        if self._end is not None:
            self._end.cancel()
        if self._is_unused() and not self._linger:
            self._over.set()
        elif self._is_unused():
            self._end = asyncio.get_running_loop().call_later(self._linger, self._end_if_still_unused)

    def _end_if_still_unused(self) -> None:
        if self._is_unused():
            self._over.set()

    def _is_unused(self) -> bool:
        return not self._holders and not self._stay

    # -- Ray ---------------------------------------------------------------------------------------------------------

    async def _start_once(self) -> None:
        """Start this machine's own Ray; when it has ended, or never began, the next lease starts another head."""
        try:
            await self._ray.end()  # what is left of a head that was killed
            self._once.set_result(await self._ray.start(local_terms(self._directory)))
            await self._ray.ended()
        except (InfrastructureError, OSError) as error:
            self._once.set_exception(error)
            self._once.exception()  # nobody may be waiting for it
        self._over.set()

    def _reread(self) -> None:
        """Do as this host's membership says now. Raises InfrastructureError."""
        if self._upkeep is not None:
            self._stay = self._upkeep.reread().stay
            self._linger = _LINGER


async def _at_once(_terms: Terms) -> None:
    """A head waits for nobody."""


def _address_or_error(ready: asyncio.Future[Any]) -> dict[str, str]:
    error = ready.exception()
    return {"address": ready.result()} if error is None else {"error": str(error)}


async def _serve(directory: Path, cluster: str | None) -> None:
    log_to(head_service(cluster).log)
    await Head(directory, cluster).serve()


if __name__ == "__main__":
    serving.main(_serve)
