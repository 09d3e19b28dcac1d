"""`npu-launch follow`: what `run` does after its start, where the run lives; for npu-launch's own use."""

from __future__ import annotations

from typing import Annotated

import typer


def follow(context: typer.Context, run: Annotated[str, typer.Argument(metavar="RUN")]) -> int:
    """Follow a run that has just been started, and stop it when interrupted."""
    from launcher.cli.attach import attach
    from launcher.cli.delegation import elsewhere
    from launcher.cli.interrupts import Interrupts
    from launcher.runs.store import find_run

    found = find_run(run)
    with Interrupts() as interrupts:
        if (away := elsewhere(found)) is not None:
            return away.do_the_same(context, interrupts)
        return int(attach(found, interrupts, since=1))
