"""The detached process beside each run: supervises it until Ray does, and again if Ray's supervisor is lost.

Run as `python -m launcher.supervise.keeper RUN_DIRECTORY`. Whoever holds the run's lock supervises. The keeper has it
from the first millisecond, so that ranks need not wait for Ray and a run outlives Ray; it hands the lock to the
supervisor actor once that stands by, then waits for the lock again, at no cost.

Only Ray reaches other hosts. Nothing of a run on several is started before its supervisor on Ray stands by, and the
keeper asks for another whenever it has the lock again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from launcher.errors import InfrastructureError
from launcher.runs.events import SupervisorChanged
from launcher.runs.home import remove_runtime_directory
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory
from launcher.specs import load_cluster
from launcher.supervise import on_host
from launcher.supervise.awaiting_ray import AwaitingRay, is_untouched
from launcher.supervise.detached import start_sweep
from launcher.supervise.link import HostLink, LinkLost, ShimLink, Unlinked
from launcher.supervise.logging_setup import log_to
from launcher.supervise.on_ray.hold import Lease, hold, ray_directory, remove_remains
from launcher.supervise.on_ray.retries import delays
from launcher.supervise.on_ray.settings import driver_environment, ray_environment
from launcher.supervise.on_ray.terms import own_membership
from launcher.supervise.patience import within
from launcher.supervise.spread import home_host, is_spread, ray_of
from launcher.supervise.supervisor import Supervisor

_log = logging.getLogger(__name__)
_HANDOVER_TIMEOUT = 10.0  # seconds for a supervisor that stands by to take the lock
_HANDOVER_PAUSE = 0.01  # seconds between looks at whether it has
_BEFORE_RAY = 2.0  # seconds: what ends sooner is spared a Ray, whose start takes 6 s of processor time
_CONNECT_TIMEOUT = 5.0  # seconds
_WELL_AFTER = 60.0  # seconds after which the loss of a supervisor on Ray says nothing about the next


class Keeper:
    """Keeps one run: holds Ray for it, and supervises it for as long as nobody on Ray does."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        cluster = load_cluster(run.layout.cluster)
        self._home = home_host(cluster).name
        self._is_spread = is_spread(cluster)
        self._ray = ray_of(cluster)
        self._lease: Lease | None = None
        self._asking: asyncio.Task[None] | None = None  # done when a supervisor on Ray stands by
        self._asked_at = 0.0  # monotonic seconds
        self._delays = delays()
        self._told = ""  # of a Ray that did not come

    async def keep(self) -> None:
        """See the run to its end, through Ray where Ray comes up."""
        lock = self._run.lock()
        await asyncio.to_thread(lock.acquire)
        self._ask(after=0.0 if self._is_spread else _BEFORE_RAY)
        try:
            while not self._run.state().phase.ended and not await self._supervise():
                reader = RecordReader(self._run.layout.events)
                reader.read()
                lock.release()
                await _taken_over(reader)
                await asyncio.to_thread(lock.acquire)
                _log.info("the lock came back")
                self._ask_again()
            await _dismiss_shims(self._run)
        finally:
            if self._asking is not None:
                self._asking.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await self._asking
            if self._lease is not None:
                self._lease.close()
            lock.release()
            await remove_remains()
            remove_runtime_directory()
        start_sweep()

    async def _supervise(self) -> bool:
        """Supervise until the run has ended, which is True, or until a supervisor on Ray stands by."""
        links: list[ShimLink] = []

        def link_to(host: str) -> HostLink:
            if self._is_spread and host != self._home:
                return Unlinked(host)
            links.append(ShimLink(self._run.shim_socket(host)))
            return links[-1]

        supervisor: Supervisor | AwaitingRay
        if self._is_spread and is_untouched(self._run.state()):
            supervisor = AwaitingRay(self._run)
        else:
            supervisor = Supervisor(self._run, link_to, by="keeper", reaches_others=not self._is_spread)
        supervision: asyncio.Task[object] = asyncio.create_task(supervisor.supervise())
        try:
            while self._asking is not None:
                await asyncio.wait({supervision, self._asking}, return_when=asyncio.FIRST_COMPLETED)
                if supervision.done():
                    break
                error = self._asking.exception()
                if error is None:
                    await supervisor.write_down()
                    if supervision.done():  # meanwhile
                        break
                    return False
                self._on_no_ray(error, supervisor.note)
            await supervision
            return True
        finally:
            supervision.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await supervision
            for link in links:
                link.close()

    # -- Ray -----------------------------------------------------------------------------------------------------------

    def _ask(self, after: float) -> None:
        self._asked_at = time.monotonic()
        self._asking = asyncio.create_task(self._stand_by_on_ray(after))

    def _ask_again(self) -> None:
        """Ask for another supervisor on Ray where none but Ray reaches all hosts; later and later, if none stays."""
        if not self._is_spread:
            self._asking = None
            return
        if time.monotonic() - self._asked_at > _WELL_AFTER:
            self._delays = delays()
            self._ask(after=0.0)
        else:
            self._ask(after=next(self._delays))

    def _on_no_ray(self, error: BaseException, note: Callable[[str], None]) -> None:
        _log.error("no Ray for this run", exc_info=error)
        if str(error) != self._told:
            self._told = str(error)
            future = "it is asked for again" if self._is_spread else "the run goes on without it"
            note(f"Ray is not there, {future}: {error}")
        self._ask_again()

    async def _stand_by_on_ray(self, after: float) -> None:
        """Hold Ray and have a supervisor actor stand by there, after so many seconds.

        Raises with Ray's own words when that fails.
        """
        await asyncio.sleep(after)
        lease = await hold(self._ray)
        if self._lease is not None:
            self._lease.close()
        self._lease = lease
        await _has_answered(lease.address)
        if self._ray is None:
            environment = ray_environment(ray_directory())
        else:
            environment = driver_environment(own_membership(self._ray))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "launcher.supervise.on_ray.enlist", str(self._run.path), lease.address),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.kill()
            raise
        if process.returncode:
            last_line = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise RuntimeError(last_line or f"exit code {process.returncode}")


async def _has_answered(address: str) -> None:
    """Return when something takes a connection at an address: Ray itself would try for a minute, and then abort.

    Raises InfrastructureError.
    """
    host, _, port = address.rpartition(":")
    try:
        connecting = asyncio.open_connection(host.strip("[]"), int(port))
        _, writer = await within(connecting, _CONNECT_TIMEOUT)
    except (OSError, asyncio.TimeoutError) as error:
        raise InfrastructureError("the head of Ray does not answer", where=address) from error
    writer.close()


async def _dismiss_shims(run: RunDirectory) -> None:
    """Tell the shims of this machine that nothing more will be asked of them, whoever supervised last.

    The socket of one that was killed is removed.
    """
    for host in run.state().hosts:
        try:
            await ShimLink(run.shim_socket(host)).send({"op": "leave"})
        except LinkLost:
            on_host.forget_shim(run, host)


async def _taken_over(reader: RecordReader) -> None:
    """Wait until the other supervisor has written that it decides from now on."""
    deadline = time.monotonic() + _HANDOVER_TIMEOUT
    while time.monotonic() < deadline:
        await asyncio.sleep(_HANDOVER_PAUSE)
        if any(isinstance(event, SupervisorChanged) for event in reader.read()):
            return
    _log.warning("the supervisor on Ray did not take the run over")


def main() -> None:
    """Entry point: RUN_DIRECTORY."""
    run = RunDirectory(Path(sys.argv[1]))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # it ends with its run
        signal.signal(number, signal.SIG_IGN)
    log_to(run.supervisor_log)
    try:
        asyncio.run(Keeper(run).keep())
    except Exception:
        _log.exception("the keeper failed")
        raise


if __name__ == "__main__":
    main()
