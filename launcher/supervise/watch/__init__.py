"""Watches ranks train: how far they are, whether they stand still, and which of them is slow.

A standstill is the absence of events, so this looks once a second, at next to no cost: the sizes of the logs. All
that decides is pure (`standstill`, `stragglers`, `milestones`, `stacks`); the rim reads logs, /proc and py-spy.
"""

from __future__ import annotations

from launcher.supervise.watch.watch import Watch

__all__ = ["Watch"]
