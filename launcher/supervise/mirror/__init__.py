"""Copies what other hosts write to the run's home, and the run's record to a second host.

What lies on another host is read there, by plain functions that a HostLink calls (`news`, `keeping`); what is known and
decided stays with the supervisor (`logs`, `record`). A copy grows at its end alone, so its size says how far it came:
whoever takes the run over goes on there.
"""

from __future__ import annotations

from launcher.supervise.mirror.logs import LogMirror
from launcher.supervise.mirror.record import RecordMirror

__all__ = ["LogMirror", "RecordMirror"]
