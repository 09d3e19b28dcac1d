"""The installed packages that npu-launch needs, and what they need: read from their metadata, with no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from launcher.errors import InfrastructureError
from launcher.hosts.provision.choice import Release
from launcher.hosts.provision.identity import code_digest

OURS: Final = "npu-launch"
PACKAGE: Final = Path(__file__).parents[2]  # npu-launch's own files, wherever it is installed from


@dataclass(frozen=True)
class Closure:
    """Packages by name, npu-launch itself apart; extras, such as frameworks, are not among them.

    `unknown` are requirements, as they are written, of another type of machine only: no version of them is installed.
    """

    ours: Distribution
    needed: Mapping[str, Distribution]
    unknown: tuple[str, ...] = ()

    def release(self, machine: str) -> Release:
        """What the environment of these has in it."""
        versions = {name: one.version for name, one in self.needed.items()}
        return Release(
            machine,
            tuple(sys.version_info[:3]),
            self.ours.version,
            code_digest(str(PACKAGE)),
            {**versions, **dict.fromkeys(self.unknown, "")},
        )


def closure(machine: str) -> Closure:
    """What npu-launch needs on a type of machine (`x86_64`, `aarch64`), of what is installed beside it.

    Raises InfrastructureError when something is not installed, or npu-launch itself runs from a bare folder.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    is_ours = machine == own_machine()
    environment = {"platform_machine": machine}
    ours = _distribution(OURS)
    found: dict[str, Distribution] = {}
    unknown: list[str] = []
    asked: set[tuple[str, str]] = set()
    waiting: list[tuple[Distribution, str]] = [(ours, "")]
    while waiting:
        needing, extra = waiting.pop()
        for line in needing.requires or ():
            requirement = Requirement(line)
            if requirement.marker is not None and not requirement.marker.evaluate({**environment, "extra": extra}):
                continue
            name = canonicalize_name(requirement.name)
            if name not in found:
                try:
                    found[name] = _distribution(name)
                except InfrastructureError:
                    if is_ours:
                        raise
                    unknown.append(f"{requirement.name}{requirement.specifier}")
                    continue
            for wanted in ("", *requirement.extras):
                if (name, wanted) not in asked:
                    asked.add((name, wanted))
                    waiting.append((found[name], wanted))
    return Closure(ours, dict(sorted(found.items())), tuple(sorted(set(unknown))))


def own_machine() -> str:
    """What `uname -m` says here."""
    return os.uname().machine


def installed_files(one: Distribution) -> Iterator[tuple[str, Path]]:
    """The files of a package: where each lies, from the folder of packages on, and where it is here.

    Programs that installing wrote lie in `../../../bin`. Raises InfrastructureError for one that has no list of them.
    """
    if one.files is None or '"editable": true' in (one.read_text("direct_url.json") or ""):
        raise InfrastructureError(
            f"{one.name} {one.version} cannot be taken to other hosts: its files are not on record",
            where=str(one.locate_file("")),
            expected="packages that pip or uv have installed, and not from a folder (pip install -e)",
            remedy=f"pip install --force-reinstall {one.name}=={one.version}, in a virtual environment of its own",
        )
    for file in one.files:
        yield file.as_posix(), Path(str(file.locate()))


def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise InfrastructureError(
            f"{name} is not installed beside npu-launch, and hosts need it",
            where=sys.prefix,
            expected="npu-launch installed with all that it needs",
            remedy="pip install npu-launch, in a virtual environment of its own",
        ) from None
