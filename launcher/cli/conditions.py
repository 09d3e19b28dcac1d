"""What is out of the ordinary in a run right now, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from launcher.cli.faults import faults
from launcher.cli.standstills import standstills
from launcher.cli.troubles import troubles
from launcher.cli.view import RunView
from launcher.cli.wording import duration, ranks_phrase
from launcher.logs.safe import safe_line
from launcher.runs.state import Reach

_HOSTS_SHOWN = 3
_STATES = {
    "D": "in uninterruptible sleep (D): the kernel waits for a device or a disk, and no signal ends that",
    "R": "running (R)",
    "S": "sleeping (S)",
    "T": "suspended (T)",
    "Z": "ended, but not reaped (Z)",
    "": "in a state that cannot be seen from here",
}


def conditions(view: RunView) -> Iterator[tuple[str, str]]:
    """A label of at most 7 letters and a text for each; none for a run that has ended."""
    if view.state.phase.ended:
        return
    if (restart := pending_restart(view)) is not None:
        yield "restart", restart
    if hosts := _unwell_hosts(view):
        yield "hosts", hosts
    yield from standstills(view)
    yield from troubles(view)
    yield from faults(view)
    for text in _lingering(view):
        yield "stuck", text


def pending_restart(view: RunView) -> str | None:
    """`in 3.2s: rank 1 failed first (exit code 17); restart 1 of 2`, while a restart waits."""
    pending = view.state.pending
    if pending is None or pending.due is None:
        return None
    wait = pending.due - view.now
    return f"{f'in {duration(wait)}' if wait > 0 else 'now'}: {safe_line(pending.reason, 300)}"


def _unwell_hosts(view: RunView) -> str:
    parts = []
    for host, known in sorted(view.state.unwell_hosts.items()):
        if known.reach is Reach.UNREACHABLE and known.heard is not None:
            parts.append(f"{host} has not answered for {duration(view.now - known.heard)}")
        else:
            parts.append(f"{host} is slow to answer")
    return _some(parts)


def _some(hosts: Sequence[str]) -> str:
    hidden = len(hosts) - _HOSTS_SHOWN
    return ", ".join(safe_line(host) for host in hosts[:_HOSTS_SHOWN]) + (f" and {hidden} more" if hidden > 0 else "")


def _lingering(view: RunView) -> Iterator[str]:
    attempt = view.state.attempt
    if attempt is None or attempt.stopping_since is None:
        return
    ago = f"{duration(view.now - attempt.stopping_since)} after the order to stop"
    left = view.lingering
    for letter in sorted(set(left.ranks.values())):
        ranks = [rank for rank, state in left.ranks.items() if state == letter]
        words = _STATES.get(letter, f"in state {safe_line(letter)}")
        yield f"{ranks_phrase(ranks)} still there {ago}, {words}"
    if left.hosts:
        yield f"what the ranks left behind on {_some(left.hosts)} is still there {ago}"
