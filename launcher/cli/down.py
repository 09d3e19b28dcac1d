"""`npu-launch down`: keep Ray warm no longer."""

from __future__ import annotations


def down() -> int:
    """End the Ray that `npu-launch up` started here."""
    from launcher.cli.output import talk
    from launcher.supervise.warm import take_down

    talk("npu-launch: Ray has ended" if take_down() else "npu-launch: no Ray of npu-launch was running")
    return 0
