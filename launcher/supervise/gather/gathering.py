"""Brings the evidence of an attempt from all its hosts to the run's home; driven from there."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from launcher.errors import NpuLaunchError
from launcher.runs.home import write_file
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.gather.outcome import FromHost, Gathered, Limits, Missing
from launcher.supervise.gather.snapshot import MOST_SECONDS, evidence_folder, snapshot, snapshot_folder
from launcher.supervise.gather.sources import first_errors, listing, read_pieces
from launcher.supervise.gather.transfer import Transfer
from launcher.supervise.link import HostLink, LinkLost
from launcher.supervise.patience import within

_log = logging.getLogger(__name__)
_AT_ONCE = 4 << 20  # bytes in one call
Outcome = TypeVar("Outcome")


def gathered_file(run: RunDirectory, attempt: int, asked: str = "") -> Path:
    """What came of gathering the evidence of an attempt."""
    return evidence_folder(run.path, attempt, asked) / "gathered.json"


def evidence_on(plan_file: Path, run: Path, attempt: int, host: str, asked: str = "") -> Sequence[str]:
    """The paths of what is evidence on a host: its snapshot, the logs of its ranks and services, CANN's of its ranks.

    `run` is the run's folder there. Raises OSError for an attempt whose plan is not here.
    """
    plan = json.loads(plan_file.read_bytes())
    ranks = [rank for rank in plan["ranks"] if rank["host"] == host]
    services = [service["log"] for service in plan["services"] if service["host"] == host]
    folders = [path for rank in ranks for path in (rank["log"], rank["cann_log_dir"])]
    return [str(snapshot_folder(run, attempt, host, asked)), *services, *folders]


def keep(run: RunDirectory, found: Gathered, asked: str = "") -> Gathered:
    """Write down what came, with what had come before; on a full disk it is not written."""
    path = gathered_file(run, found.attempt, asked)
    try:
        before = Gathered.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        before = None
    gathered = found.after(before)
    with suppress(NpuLaunchError):
        write_file(path, gathered.model_dump_json(indent=1) + "\n")
    return gathered


async def gather(
    run: RunDirectory,
    attempt: int,
    links: Mapping[str, HostLink],
    limits: Limits,
    tell: Callable[[str], None],
    asked: str = "",
    leave_off: asyncio.Event | None = None,
) -> Gathered:
    """Take a snapshot of every host, and bring it here with the logs of the host's ranks and services.

    What is `asked` for while the ranks run has a name of its own, and so has the snapshot that is taken then. It may be
    interrupted at any time, and goes on from there when it is called again; hosts that are not done when it is to
    `leave_off` are told as such. `tell` hears of each host.
    Raises nothing: a host that cannot be reached, or a disk that is full, is told in what is returned, and in
    `gathered.json`.
    """
    at_once = asyncio.Semaphore(limits.hosts_at_once)

    async def one(host: str, link: HostLink) -> FromHost:
        async with at_once:
            found = await _until(leave_off, _Host(run, attempt, host, link, limits, asked))
        tell(str(found))
        return found

    hosts = await asyncio.gather(*(one(host, link) for host, link in sorted(links.items())))
    return await asyncio.to_thread(keep, run, Gathered(attempt=attempt, hosts=tuple(hosts)), asked)


async def _until(leave_off: asyncio.Event | None, host: _Host) -> FromHost:
    """What came of a host by the time that it is done, or no longer waited for."""
    if leave_off is None:
        return await host.gather()
    work, leaving = asyncio.create_task(host.gather()), asyncio.create_task(leave_off.wait())
    try:
        await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else host.left_off()
    finally:
        work.cancel()
        leaving.cancel()


class _Host:
    """The evidence of one host on its way."""

    def __init__(self, run: RunDirectory, attempt: int, host: str, link: HostLink, limits: Limits, asked: str) -> None:
        self._run, self._attempt, self._host, self._link, self._limits = run, attempt, host, link, limits
        self._asked = asked
        self._missing: list[Missing] = []
        self._transfer: Transfer | None = None

    async def gather(self) -> FromHost:
        try:
            await self._take_snapshot()
            if self._link.is_home or await self._there(on_host.is_shared, self._run, on_host.home_mark(self._run)):
                files = await asyncio.to_thread(listing, self._paths())
                return FromHost(
                    host=self._host,
                    files=len(files),
                    bytes=sum(found.size for found in files),
                    missing=tuple(self._missing),
                )
            await self._bring()
        except asyncio.TimeoutError:
            self._missing.append(Missing(what=self._host, why="it does not answer"))
        except (LinkLost, NpuLaunchError, OSError) as error:
            self._missing.append(Missing(what=self._host, why=str(error) or "the link was lost"))
        except Exception as error:  # whatever is wrong with the evidence, the run goes on
            _log.exception("the evidence of %s could not be gathered", self._host)
            self._missing.append(Missing(what=self._host, why=repr(error)))
        return self._outcome()

    def left_off(self) -> FromHost:
        """What came so far, when the rest is not waited for."""
        self._missing.append(Missing(what=self._host, why="it took too long, and was not waited for"))
        return self._outcome()

    def _outcome(self) -> FromHost:
        if self._transfer is not None:
            return self._transfer.outcome()
        return FromHost(host=self._host, missing=tuple(self._missing))

    async def _take_snapshot(self) -> None:
        most = self._limits.host_bytes // 4
        asked = self._link.there(snapshot, self._run.path, self._attempt, self._host, most, self._asked)
        try:
            self._missing += await within(asked, MOST_SECONDS)
        except asyncio.TimeoutError:  # which is an OSError from Python 3.11 on
            raise
        except OSError as error:  # its disk is full: what was written before is all the more wanted
            self._missing.append(Missing(what="what the host's tools say", why=str(error)))

    async def _bring(self) -> None:
        files = await self._there(listing, self._paths())
        transfer = Transfer(self._host, self._run.path, self._run.path, files, self._limits.host_bytes, self._missing)
        transfer.cut_at(await self._there(first_errors, transfer.too_long) if transfer.too_long else ())
        self._transfer = transfer
        while wanted := transfer.wanted(min(_AT_ONCE, self._limits.rate)):
            began = time.monotonic()
            await asyncio.to_thread(transfer.take, await self._there(read_pieces, wanted))
            due = began + sum(piece.length for piece in wanted) / self._limits.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _there(self, work: Callable[..., Outcome], *arguments: object) -> Outcome:
        return await within(self._link.there(work, *arguments), self._limits.patience)

    def _paths(self) -> Sequence[str]:
        plan = self._run.layout.attempt(self._attempt).plan
        return evidence_on(plan, self._run.path, self._attempt, self._host, self._asked)
