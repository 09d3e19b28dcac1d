"""`npu-launch prune`: let go what need not be kept of runs that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from launcher.logs.keeping.deciding import Decision


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and let nothing go.")] = False,
) -> int:
    """Keep ended runs within NPU_LAUNCH_KEEP (default: 50GB,90d), now.

    A run that has to go goes with its record and its logs, the oldest first;
    of one that failed the first errors are kept longest. Checkpoints and other
    files of yours stay. Logs of runs that stay are compressed. `run` does the
    same in the background.

    \b
    npu-launch prune --dry-run
    NPU_LAUNCH_KEEP=10GB,30d npu-launch prune
    """
    import time

    from launcher.cli.output import put, talk
    from launcher.logs.keeping.limits import kept
    from launcher.logs.keeping.sweeping import plan_sweep, sweep

    keep, now = kept(), time.time()
    gone: list[Decision] = []
    if dry_run:
        gone += plan_sweep(keep, now)
    elif not sweep(keep, now, gone.append):
        talk("npu-launch: another npu-launch is at it")
        return 0
    for decision in gone:
        put(_line(decision))
    freed = sum(decision.frees for decision in gone)
    would = "would free" if dry_run else "freed"
    talk(
        f"npu-launch: {would} {freed / (1 << 20):,.1f} MB of {len(gone)} runs" if gone else "npu-launch: nothing to do"
    )
    return 0


def _line(decision: Decision) -> str:
    from launcher.logs.safe import safe_line

    return safe_line(str(decision))
