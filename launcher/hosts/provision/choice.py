"""Which interpreter a host is to use: pure functions of what was seen of it and of what all hosts need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from launcher.hosts.provision.seen import Interpreter, Seen, Version


@dataclass(frozen=True)
class Release:
    """What an environment has in it, for one type of machine: the same everywhere, whatever it is put on.

    `distributions` are the packages that npu-launch needs, and their versions; `code` is the digest of its own files.
    `python` is the version of the interpreter that would be pushed.
    """

    machine: str
    python: Version
    npu_launch: str
    code: str
    distributions: Mapping[str, str]

    @property
    def minor(self) -> str:
        """What has to be the same on all hosts, for Ray and for compiled packages: `3.11`."""
        return minor(self.python)

    def name(self, base: str | None) -> str:
        """The name of the environment that has this in it and stands on an interpreter of the host, or on its own."""
        parts = [self.machine, self.minor, self.npu_launch, self.code, base or f"python {self.python}"]
        parts += (f"{name}=={version}" for name, version in sorted(self.distributions.items()))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Named:
    """The interpreter that the spec names has all that is needed."""

    interpreter: Interpreter


@dataclass(frozen=True)
class Environment:
    """One of ours: on the interpreter `base` of the host, or with an interpreter of its own."""

    name: str
    base: str | None


def choose(seen: Seen, release: Release) -> Named | Environment:
    """The named interpreter where it will do, else an environment that is there, else the one to be pushed.

    An interpreter that is there is good enough to stand on when it has our minor version and a whole standard library.
    """
    if seen.named is not None and not shortcomings(seen.named, release):
        return Named(seen.named)
    bases = (one.base for one in seen.candidates if minor(one.version) == release.minor and not one.lacks)
    possible = [Environment(release.name(base), base) for base in (None, *dict.fromkeys(bases))]
    there = [environment for environment in possible if environment.name in seen.environments]
    return there[0] if there else possible[1] if len(possible) > 1 else possible[0]


def shortcomings(interpreter: Interpreter, release: Release) -> str:
    """What keeps an interpreter from being used as it is; empty when nothing does."""
    ray = release.distributions["ray"]
    if interpreter.npu_launch is None:
        return "has no npu-launch"
    if interpreter.npu_launch != release.npu_launch:
        return f"has npu-launch {interpreter.npu_launch}, and here it is {release.npu_launch}"
    if interpreter.code != release.code:
        return f"has npu-launch {interpreter.npu_launch} of other code than here"
    if interpreter.ray != ray:
        return f"has {f'Ray {interpreter.ray}' if interpreter.ray else 'no Ray'}, and here it is {ray}"
    if interpreter.lacks:
        return f"has no {' and no '.join(interpreter.lacks)}"
    return ""


def minor(version: Version) -> str:
    """`3.11` of 3.11.7."""
    return ".".join(map(str, version[:2]))
