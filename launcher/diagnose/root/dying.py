"""The root as a rank whose process ended without a word, in a way that tells why. Pure."""

from __future__ import annotations

import signal
from typing import Final, NamedTuple

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
_CODES: Final = {
    126: ("command_not_executable", "a command that may not be executed"),
    127: ("command_not_found", "a command that is not found"),
}
"""What exit codes mean by which a shell tells of what it was to run (POSIX, Shell Command Language, 2.8.2)."""

_OF_A_SIGNAL: Final = 128
"""What a shell or a container adds to the signal that ended what it ran."""

_POLITE: Final = frozenset((signal.SIGTERM, signal.SIGINT))
"""Signals that launchers end the others with."""

CATEGORIES: Final = {
    "host_oom": Category.MEMORY,
    "worker_killed": Category.MEMORY,
    "native_crash": Category.OPERATOR,
    "terminal_hangup": Category.ENVIRONMENT,
    "command_not_executable": Category.ENVIRONMENT,
    "command_not_found": Category.ENVIRONMENT,
}
"""The categories of causes that follow from how a process ended."""


class _Ending(NamedTuple):
    """What the end of a process shows by itself."""

    cause: str
    confidence: Confidence
    why: str


def killed(case: Case) -> Pick | None:
    """The first rank whose process ended in a way that shows why, where no rank says what broke it."""
    endings = {
        story.teller: ending
        for story in case.stories.values()
        if story.death is not None and (ending := _ending(story.death)) is not None
    }
    if not endings:
        return None
    order = {death.rank: place for place, death in enumerate(case.facts.deaths)}
    blamed = {rank for end in case.ends[:1] for rank in end.ranks}
    dead = [case.stories[teller] for teller in endings]
    story = min(dead, key=lambda each: (each.rank not in blamed, order.get(each.rank or 0, 0)))
    cause, confidence, why = endings[story.teller]
    finding = host_kill(case, story.host) if cause == "worker_killed" else None
    if finding is not None:
        return Pick("host_oom", Confidence.HIGH, why, story.rank, story.teller, finding.evidence, finding)
    return Pick(cause, confidence, why, story.rank, story.teller, _shown(case, story))


def _ending(death: Death) -> _Ending | None:
    """What the end of a process shows; None for one that it brought about itself, or was asked for."""
    if death.stopped:
        return None
    if death.oom:
        return _Ending("host_oom", Confidence.HIGH, f"the kernel killed its process for want of memory: {death.oom}")
    if death.code < 0:
        return _by_signal(-death.code)
    if death.code in _CODES:
        cause, what = _CODES[death.code]
        words = f"its process ended with code {death.code}, as a shell does for {what}, and says no more"
        return _Ending(cause, Confidence.LOW, words)
    number = death.code - _OF_A_SIGNAL
    ending = _by_signal(number) if number in _CAUSES else None
    if ending is None:
        return None
    name = signal.Signals(number).name
    words = (
        f"its process ended with code {death.code}, as a shell does where {name} ended what it ran, and says no more"
    )
    confidence = Confidence.LOW if ending.confidence is Confidence.MEDIUM else Confidence.MEDIUM
    return ending._replace(confidence=confidence, why=words)


def _by_signal(number: int) -> _Ending | None:
    """What a signal shows that ended a process; None for one that launchers end the others with, and for no signal."""
    if number not in set(signal.Signals) - _POLITE:
        return None
    cause = _CAUSES.get(signal.Signals(number), "worker_killed")
    confidence = Confidence.MEDIUM if cause == "worker_killed" else Confidence.HIGH
    return _Ending(cause, confidence, f"its process was ended by {signal.Signals(number).name} and says nothing of it")


def host_kill(case: Case, host: str | None) -> Finding | None:
    """What the kernel of a host said of a process that it killed for want of memory, and that is of no rank.

    A container's processes have other pids inside than the kernel says.
    """
    for finding in case.told:
        is_there = finding.host == host or None in (finding.host, host)
        if is_there and finding.file.source is Source.HOST and finding.cause == "host_oom" and finding.rank is None:
            return finding
    return None


def _shown(case: Case, story: Story) -> tuple[Evidence, ...]:
    """The line of a launcher that tells of the end, or what others say follows from it."""
    for ended in case.facts.of(Ended):
        if case.world.of_pid(ended.seen.file.host, ended.pid) == story.rank or ended.rank == story.rank:
            return (ended.seen.evidence,)
    follows = (each for each in case.told if each.role is Role.CASCADE)
    return next((finding.evidence for finding in follows), ())
