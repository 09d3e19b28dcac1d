"""The archives that hosts are sent: made when the first host needs one, kept for all later ones."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from launcher.errors import InfrastructureError
from launcher.hosts.provision import archive
from launcher.hosts.provision.archive import Archive
from launcher.hosts.provision.choice import Release
from launcher.hosts.provision.closure import Closure, closure, own_machine
from launcher.hosts.provision.contents import Entry, installed
from launcher.hosts.provision.foreign import Target, foreign_packages, foreign_python, target
from launcher.hosts.provision.own_python import own_python
from launcher.hosts.provision.problems import megabytes
from launcher.hosts.provision.seen import Version
from launcher.runs.home import cache_directory


class _Part(NamedTuple):
    release: Release
    has_python: bool
    to: Target | None  # None: as it is installed here

    @property
    def file(self) -> str:
        kind = f"-{self.to.machine}-{self.to.glibc}" if self.to else ""
        return f"env-{self.release.name(None if self.has_python else 'packages alone')}{kind}.tar.gz"


class Stock:
    """What there is to send, for any thread; `tell` hears what is being made, for it takes a while."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._packages: dict[str, Closure] = {}
        self._releases: dict[str, Release] = {}
        self._archives: dict[str, Archive | InfrastructureError] = {}

    def release(self, machine: str) -> Release:
        """What an environment for a type of machine has in it. Raises InfrastructureError."""
        with self._lock:
            if machine not in self._releases:
                self._packages[machine] = closure(machine)
                self._releases[machine] = self._packages[machine].release(machine)
            return self._releases[machine]

    def archive(self, release: Release, glibc: Version, *, has_python: bool) -> Archive:
        """The archive for a host with this glibc: of what is installed here, if it runs there, else of wheels.

        Raises InfrastructureError when there is none.
        """
        with self._lock:
            if release.machine == own_machine():
                own = self._made(_Part(release, has_python, None))
                if own.demands.glibc <= glibc:
                    return own
            made = self._made(_Part(release, has_python, target(release.machine, glibc, release.minor)))
        if made.demands.glibc > glibc:
            raise InfrastructureError(
                f"the environment needs glibc {_text(made.demands.glibc)}, and the host has {_text(glibc)}",
                remedy="name an interpreter there that has npu-launch and Ray (python: in the cluster spec)",
            )
        return made

    def _made(self, part: _Part) -> Archive:
        found = self._archives.get(part.file)
        if found is None:
            try:
                found = self._make(part)
            except InfrastructureError as error:
                found = error
            except OSError as error:
                found = InfrastructureError(
                    f"the environment cannot be packed: {error.strerror}: {error.filename}",
                    where=str(cache_directory()),
                    remedy="look for room on the disk here, and for permissions",
                )
            self._archives[part.file] = found
        if isinstance(found, InfrastructureError):
            raise found
        return found

    def _make(self, part: _Part) -> Archive:
        path = cache_directory() / part.file
        there = archive.kept(path)
        if there is not None:
            return there
        begun = time.monotonic()
        self._tell(
            f"packing the environment for {part.release.machine} hosts, once" + (": fetching" if part.to else "")
        )
        with tempfile.TemporaryDirectory(prefix="npu-launch-wheels-", dir=cache_directory()) as folder:
            made = archive.make(path, self._entries(part, Path(folder)))
        self._tell(f"packed: {megabytes(made.demands.packed)} in {time.monotonic() - begun:.1f} s")
        return made

    def _entries(self, part: _Part, folder: Path) -> Iterator[Entry]:
        packages = self._packages[part.release.machine]
        if part.to is None:
            yield from installed(packages, part.release.minor)
            if part.has_python:
                yield from own_python()
            return
        if part.has_python:
            yield from foreign_python(part.to, folder / "python")
        yield from foreign_packages(packages, part.to, folder / "packages")


def _text(version: Version) -> str:
    return ".".join(map(str, version))
