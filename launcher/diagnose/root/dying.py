"""The root as a rank whose process was killed, or ended without a word. Pure."""

from __future__ import annotations

import signal
from typing import Final

from launcher.diagnose.finding import Category, Confidence, Evidence, Finding, Role
from launcher.diagnose.root.case import Case, Pick
from launcher.diagnose.root.collected import Death
from launcher.diagnose.root.facts import Ended
from launcher.diagnose.root.stories import Story
from launcher.logs.record import Source

_CAUSES: Final = {
    signal.SIGKILL: "worker_killed",
    signal.SIGSEGV: "native_crash",
    signal.SIGABRT: "native_crash",
    signal.SIGBUS: "native_crash",
    signal.SIGFPE: "native_crash",
    signal.SIGILL: "native_crash",
    signal.SIGHUP: "terminal_hangup",
}
_POLITE: Final = frozenset((signal.SIGTERM, signal.SIGINT))
"""Signals that launchers end the others with."""

CATEGORIES: Final = {
    "host_oom": Category.MEMORY,
    "worker_killed": Category.MEMORY,
    "native_crash": Category.OPERATOR,
    "terminal_hangup": Category.ENVIRONMENT,
}
"""The categories of causes that follow from how a process ended."""


def killed(case: Case) -> Pick | None:
    """The first rank that a signal ended, where no rank says what broke it."""
    dead = [story for story in case.stories.values() if (death := story.death) and _is_violent(death)]
    if not dead:
        return None
    order = {death.rank: place for place, death in enumerate(case.facts.deaths)}
    blamed = {rank for end in case.ends[:1] for rank in end.ranks}
    story = min(dead, key=lambda each: (each.rank not in blamed, order.get(each.rank or 0, 0)))
    assert story.death is not None
    number = signal.Signals(-story.death.code)
    finding = host_kill(case, story.host)
    cause = "host_oom" if story.death.oom or finding else _CAUSES.get(number, "worker_killed")
    evidence = finding.evidence if finding else _shown(case, story)
    why = f"its process was ended by {number.name} and says nothing of it"
    if story.death.oom:
        why = f"the kernel killed its process for want of memory: {story.death.oom}"
    certain = cause != "worker_killed"
    confidence = Confidence.HIGH if certain else Confidence.MEDIUM
    return Pick(cause, confidence, why, story.rank, story.teller, evidence, finding)


def host_kill(case: Case, host: str | None) -> Finding | None:
    """What the kernel of a host said of a process that it killed for want of memory, and that is of no rank.

    A container's processes have other pids inside than the kernel says.
    """
    for finding in case.told:
        is_there = finding.host == host or None in (finding.host, host)
        if is_there and finding.file.source is Source.HOST and finding.cause == "host_oom" and finding.rank is None:
            return finding
    return None


def _is_violent(death: Death) -> bool:
    return death.code < 0 and not death.stopped and -death.code in set(signal.Signals) - _POLITE


def _shown(case: Case, story: Story) -> tuple[Evidence, ...]:
    """The line of a launcher that tells of the end, or what others say follows from it."""
    for ended in case.facts.of(Ended):
        if case.world.of_pid(ended.seen.file.host, ended.pid) == story.rank or ended.rank == story.rank:
            return (ended.seen.evidence,)
    follows = (each for each in case.told if each.role is Role.CASCADE)
    return next((finding.evidence for finding in follows), ())
