"""Launching, keeping and ending runs."""

from launcher.supervise.launch import failed_ranks, preview, request_stop, rerun, start
from launcher.supervise.warm import bring_up, take_down

__all__ = ["bring_up", "failed_ranks", "preview", "request_stop", "rerun", "start", "take_down"]
