"""What the kernel says a process of this machine is doing."""

from __future__ import annotations

from pathlib import Path


def process_state(pid: int, proc: Path = Path("/proc")) -> str | None:
    """The letter of proc(5): R runs, S sleeps, D sleeps uninterruptibly, T is stopped, Z is a zombie; None: not there.

    Only `stat` is read: to read the command line or the environment of a process that hangs in D may hang as well.
    """
    try:
        stat = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    rest = stat.rpartition(b")")[2].split()  # the name before it may have spaces and parentheses of its own
    return rest[0].decode(errors="replace") if rest else None
