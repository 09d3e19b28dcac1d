"""The process that keeps a host in the Ray of its cluster, whose head is elsewhere.

Run as `python -m launcher.supervise.on_ray.node DIRECTORY LOCK CLUSTER`. It prints nothing and logs into its cluster's
folder. It joins, and joins again when Ray here or at the head has ended, until it is told to leave, or until the head
has not been seen for a minute and no shim lives here whose supervisor might come back that way.

It serves a unix socket, one request a connection: `{"op": "start"}` has it do as membership.json says now, `status`
asks how it is, `leave` ends it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from launcher.runs.home import home
from launcher.runs.lock import is_held
from launcher.runs.store import RunDirectory
from launcher.supervise.logging_setup import log_to
from launcher.supervise.on_ray import serving
from launcher.supervise.on_ray.ray_process import RayProcess
from launcher.supervise.on_ray.service import node_service
from launcher.supervise.on_ray.serving import answer, asked, keeping
from launcher.supervise.on_ray.terms import Terms, address, own_membership
from launcher.supervise.on_ray.trust import shake_hands
from launcher.supervise.on_ray.upkeep import HeadAway, Upkeep
from launcher.supervise.patience import within

_log = logging.getLogger(__name__)
_HEAD_PATIENCE = 60.0  # seconds without the head after which nobody is waiting for this host
_CONNECT_TIMEOUT = 5.0  # seconds
_JOINS_PER_SECOND = 50  # of all hosts together: a head that many nodes join at once refuses some


class Node:
    """Serves requests about one host's part in Ray."""

    def __init__(self, directory: Path, cluster: str) -> None:
        self._directory = directory
        self._cluster = cluster
        self._ray = RayProcess(directory)
        self._upkeep = Upkeep(self._ray, directory, cluster, self._wait_for_head)
        self._away_since: float | None = None  # when the head first did not answer, and has not since
        self._over = asyncio.Event()

    async def serve(self) -> None:
        """Keep this host in Ray until it is told to leave, or nobody is there to join."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._over.set)
        socket = self._directory / "node.sock"
        async with keeping(socket, self._on_connection, self._upkeep.keep(), self._ray):
            await self._over.wait()

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        op = await asked(reader)
        with suppress(OSError):
            if self._over.is_set():
                pass  # no answer: whoever asks starts the next one
            elif op == "status":
                await answer(writer, self._upkeep.status())
            elif op == "start":
                self._away_since = None  # somebody wants this host there
                self._upkeep.reread()
                await answer(writer, {"running": True})
            elif op == "leave":
                self._over.set()
                await answer(writer, {"leaving": True})
        writer.close()

    async def _wait_for_head(self, terms: Terms) -> None:
        """Return when the head takes connections, a little later on each host. Raises HeadAway."""
        membership = own_membership(self._cluster)
        await asyncio.sleep(random.uniform(0, len(membership.members) / _JOINS_PER_SECOND))  # noqa: S311 - not a secret
        try:
            _, writer = await within(asyncio.open_connection(*terms.head), _CONNECT_TIMEOUT)
            writer.close()
            if membership.tls is not None:
                await shake_hands(*terms.head, membership.tls)
        except (OSError, asyncio.TimeoutError) as error:
            self._give_up_if_away_for_long()
            raise HeadAway(
                f"the head's Ray does not answer: {error or f'nothing after {_CONNECT_TIMEOUT:.0f} s'}",
                where=address(*terms.head),
                remedy="npu-launch up CLUSTER; a firewall has to let the hosts reach each other on Ray's ports",
            ) from error
        if self._upkeep.is_refused:  # the head of our cluster is gone, and another one is in its place
            self._give_up_if_away_for_long()
        else:
            self._away_since = None

    def _give_up_if_away_for_long(self) -> None:
        """A supervisor that comes back would come through us: as long as ranks may wait for one, we stay."""
        now = time.monotonic()
        self._away_since = self._away_since or now
        if now - self._away_since > _HEAD_PATIENCE and not self._lives_a_shim():
            _log.warning("the head has been away for %.0f s, and no run is here: leaving", now - self._away_since)
            self._over.set()

    def _lives_a_shim(self) -> bool:
        """Whether a shim of any run on the cluster lives on this host, whose home may be that of others too."""
        me = own_membership(self._cluster).me
        return any(is_held(RunDirectory(path).shim_lock(me)) for path in (home() / "runs").glob("*"))


async def _serve(directory: Path, cluster: str | None) -> None:
    assert cluster is not None
    log_to(node_service(cluster).log)
    await Node(directory, cluster).serve()


if __name__ == "__main__":
    serving.main(_serve)
