"""`npu-launch up`: keep Ray warm."""

from __future__ import annotations


def up() -> int:
    """Start Ray on this machine and keep it for coming runs.

    Without it each run starts Ray beside its ranks, and the last one ends it.
    """
    from launcher.cli.output import talk
    from launcher.supervise.warm import bring_up

    talk(f"npu-launch: Ray is up at {bring_up()} and stays until npu-launch down")
    return 0
