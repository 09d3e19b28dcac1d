"""`npu-launch stop`: end a run."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.options import RunArgument


def stop(
    context: typer.Context,
    run: RunArgument = None,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="End what runs left behind whose supervisors were all killed.")
    ] = False,
) -> int:
    """Stop a run and wait until its ranks are gone.

    Where several runs are meant, it is the one that has not ended.
    Ranks get SIGTERM first, and SIGKILL when the recipe's `grace` is over.

    With --orphans, end the processes of runs that nothing keeps any more,
    known by a tag in their environment: yours, or as root everybody's.
    """
    if orphans:
        return _stop_orphans(run)
    import time
    from contextlib import closing

    from launcher.cli.delegation import elsewhere
    from launcher.cli.homes import unended
    from launcher.cli.interrupts import Interrupts
    from launcher.cli.output import talk
    from launcher.cli.summary import headline, phase_word
    from launcher.cli.view import RunView
    from launcher.cli.wording import duration
    from launcher.errors import ExitCode
    from launcher.logs.follow import SAFETY_TICK, Watch
    from launcher.runs.state import RunPhase
    from launcher.runs.store import find_run
    from launcher.supervise.followed_record import FollowedRecord, settle
    from launcher.supervise.launch import request_stop

    found = find_run(run, preferred=unended)
    if (away := elsewhere(found)) is not None:
        return away.do_the_same(context)
    state = settle(found)
    had_ended = state.phase.ended
    if not had_ended:
        with Interrupts() as interrupts, closing(Watch()) as watch:
            watch.add(found.layout.events)
            request_stop(found, "npu-launch stop")
            record = FollowedRecord(found)
            record.read()
            while not record.state.phase.ended:
                watch.wait(SAFETY_TICK, interrupts.fd)
                if interrupts.take():
                    talk(f"npu-launch: run {found.id} is still stopping; npu-launch status {found.id}")
                    return int(ExitCode.INTERRUPTED)
                record.read()
            state = record.state
    view = RunView(found.path, state, time.time())
    if had_ended:
        talk(f"run {found.id} had already ended: {phase_word(state.phase)} after {duration(view.elapsed)}")
    else:
        talk(headline(view))
    return int(ExitCode.INFRASTRUCTURE if state.phase is RunPhase.LOST else ExitCode.OK)


def _stop_orphans(run: str | None) -> int:
    from launcher.cli.output import put, talk
    from launcher.errors import ExitCode, UsageError
    from launcher.hosts.orphans import end_orphans
    from launcher.logs.safe import safe_line

    if run is not None:
        raise UsageError("--orphans goes for all runs that nothing keeps", remedy=f"npu-launch stop {run}")
    found = end_orphans()
    if not found:
        talk("npu-launch: no orphans")
    for process in found:
        word = "does not end" if process.is_left else "ended"
        put(safe_line(f"{word}: pid {process.pid}, run {process.run}: {process.command}"))
    return int(ExitCode.INFRASTRUCTURE if any(process.is_left for process in found) else ExitCode.OK)
