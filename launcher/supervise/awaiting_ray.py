"""What the keeper of a run on several hosts does before anything of it is started: wait for a Ray that reaches them."""

from __future__ import annotations

import asyncio
import time

from launcher.runs.events import Note, RunEnded, StopRequested
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory
from launcher.supervise.control import serve_control
from launcher.supervise.recorder import Recorder


def is_untouched(state: RunState) -> bool:
    """Whether no host can have anything of the attempt: a person began it, and nobody has supervised it yet."""
    attempt = state.attempt
    if attempt is None or attempt.answer_to is not None:
        return False
    return state.supervisor is None or state.supervisor.time < attempt.started


class AwaitingRay:
    """Stands in for a supervisor: there is nothing to be done, but somebody may want the run stopped.

    The caller holds the run's lock.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._recorder = Recorder(run)
        self._stopped_by: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def supervise(self) -> None:
        """Until somebody has stopped the run, which ends it. Cancel it to hand the run over."""
        control = await serve_control(self._run.control_socket(), self._on_stop)
        try:
            by = await asyncio.shield(self._stopped_by)
            now = time.time()
            reason = f"stopped by {by}, before anything was started"
            stopped = RunEnded(time=now, outcome="stopped", reason=reason)
            self._recorder.record([StopRequested(time=now, by=by), stopped])
            await self.write_down()
        finally:
            self._stopped_by.cancel()  # nobody is told "ok" from now on
            control.close()
            self._run.control_socket().unlink(missing_ok=True)
            self._recorder.close()

    def note(self, text: str) -> None:
        """Write down a warning that people should see."""
        self._recorder.record([Note(time=time.time(), text=text)])

    async def write_down(self) -> None:
        """Return when the record is on disk."""
        await self._recorder.write_down()

    def _on_stop(self, by: str) -> bool:
        if self._stopped_by.done():
            return False
        self._stopped_by.set_result(by)
        return True
