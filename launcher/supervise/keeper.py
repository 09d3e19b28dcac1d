"""The detached process beside each run: supervises it until Ray does, and again if Ray's supervisor is lost.

Run as `python -m launcher.supervise.keeper RUN_DIRECTORY`. Whoever holds the run's lock supervises. The keeper has it
from the first millisecond, so that ranks need not wait for Ray and a run outlives Ray; it hands the lock to the
supervisor actor once that stands by, then waits for the lock again, at no cost.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from launcher.runs.events import SupervisorChanged
from launcher.runs.record import RecordReader, is_held
from launcher.runs.store import RunDirectory, remove_runtime_directory
from launcher.supervise.link import LinkLost, ShimLink
from launcher.supervise.logging_setup import log_to
from launcher.supervise.on_ray.hold import Lease, hold, ray_directory, remove_remains
from launcher.supervise.on_ray.settings import ray_environment
from launcher.supervise.supervisor import Supervisor

_log = logging.getLogger(__name__)
_HANDOVER_TIMEOUT = 10.0  # seconds for a supervisor that stands by to take the lock
_HANDOVER_PAUSE = 0.01  # seconds between looks at whether it has


async def keep(run: RunDirectory) -> None:
    """See the run to its end, through Ray where Ray comes up."""
    lock = run.lock()
    await asyncio.to_thread(lock.acquire)
    ray = asyncio.create_task(_stand_by_on_ray(run))
    try:
        while not run.state().phase.ended and not await _supervise(run, ray):
            reader = RecordReader(run.layout.events)
            reader.read()
            lock.release()
            await _taken_over(reader)
            await asyncio.to_thread(lock.acquire)
            _log.info("the lock came back")
        await _dismiss_shims(run)
    finally:
        ray.cancel()
        with suppress(asyncio.CancelledError, Exception):
            (await ray).close()
        lock.release()
        await remove_remains()
        remove_runtime_directory()


async def _supervise(run: RunDirectory, ray: asyncio.Task[Lease]) -> bool:
    """Supervise until the run has ended, which is True, or until a supervisor on Ray stands by for the first time."""
    offered = ray.done()
    links: list[ShimLink] = []

    def link_to(host: str) -> ShimLink:
        links.append(ShimLink(run.shim_socket(host)))
        return links[-1]

    supervisor = Supervisor(run, link_to, by="keeper")
    supervision = asyncio.create_task(supervisor.supervise())
    try:
        if not offered:
            await asyncio.wait({supervision, ray}, return_when=asyncio.FIRST_COMPLETED)
            if not supervision.done():
                error = ray.exception()
                if error is None:
                    await supervisor.write_down()
                    return supervision.done()
                _log.error("no Ray for this run", exc_info=error)
                supervisor.note(f"Ray is not there, the run goes on without it: {error}")
        await supervision
        return True
    finally:
        supervision.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await supervision
        for link in links:
            link.close()


async def _stand_by_on_ray(run: RunDirectory) -> Lease:
    """Hold Ray and have a supervisor actor stand by there. Raises with Ray's own words when that fails."""
    lease = await hold()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "launcher.supervise.on_ray.enlist", str(run.path), lease.address),
        env=ray_environment(ray_directory()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        lease.close()
        raise
    if process.returncode:
        lease.close()
        last_line = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise RuntimeError(last_line or f"exit code {process.returncode}")
    return lease


async def _dismiss_shims(run: RunDirectory) -> None:
    """Tell the shims of this machine that nothing more will be asked of them, whoever supervised last.

    The socket of one that was killed is removed.
    """
    for host in run.state().hosts:
        try:
            await ShimLink(run.shim_socket(host)).send({"op": "leave"})
        except LinkLost:
            if not is_held(run.shim_lock(host)):
                run.shim_socket(host).unlink(missing_ok=True)


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
        asyncio.run(keep(run))
    except Exception:
        _log.exception("the keeper failed")
        raise


if __name__ == "__main__":
    main()
