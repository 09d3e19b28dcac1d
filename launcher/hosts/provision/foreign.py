"""Packages and an interpreter for another type of machine than this, or for an older C library.

The packages are wheels of the very versions that are installed here, which uv or pip find and unpack: by the user's own
settings (uv.toml, pip.conf, UV_... and PIP_...), or from the folder that NPU_LAUNCH_WHEELS names, with no network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from launcher.errors import InfrastructureError
from launcher.hosts.provision.closure import Closure
from launcher.hosts.provision.contents import Entry, modules, own_package, placed
from launcher.hosts.provision.own_python import FOLDER, is_wanted
from launcher.hosts.provision.problems import last_line
from launcher.hosts.provision.seen import Version

WHEELS: Final = "NPU_LAUNCH_WHEELS"
_SECONDS: Final = 900.0  # for 120 MB on a slow line
_OLDEST: Final = 17  # glibc 2.17: manylinux2014, and what Ray's own wheels ask for


class Target(NamedTuple):
    """A type of machine, and which wheels run there: those for glibc 2.`glibc` or older."""

    machine: str
    glibc: int
    minor: str  # of Python


def target(machine: str, glibc: Version, minor: str) -> Target:
    """The wheels for a host: there are few but those for 2.28 and for 2.17."""
    return Target(machine, 28 if glibc >= (2, 28) else _OLDEST, minor)


def foreign_packages(packages: Closure, to: Target, folder: Path) -> Iterator[Entry]:
    """The packages for a target, fetched into a folder; npu-launch among them. Raises InfrastructureError."""
    wanted = [*(f"{name}=={one.version}" for name, one in packages.needed.items()), *packages.unknown]
    wheels = os.environ.get(WHEELS)
    sources = ["--no-index", "--find-links", str(Path(wheels).expanduser())] if wheels else []
    _first_that_works(
        [[*command, *sources, "--target", str(folder), *wanted] for command in _commands(to)],
        InfrastructureError(
            f"there are no packages for a host of the type {to.machine} with glibc 2.{to.glibc}",
            where=wheels or "uv and pip, by your settings",
            expected=f"wheels for Python {to.minor} of the versions that are installed here",
            remedy=f"name an interpreter there that has npu-launch and Ray (python: in the cluster spec); or set "
            f"{WHEELS} to a folder with the wheels; or run this from a machine of the type {to.machine}",
        ),
    )
    files = ((path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file())
    installed = ((f"../../../{name}" if name.startswith("bin/") else name, path) for name, path in files)
    yield from placed(installed, to.minor)
    yield from own_package(packages.ours, to.minor)


def foreign_python(to: Target, folder: Path) -> Iterator[Entry]:
    """An interpreter for a target, which uv fetches into a folder. Raises InfrastructureError."""
    uv = shutil.which("uv")
    name = f"cpython-{to.minor}-linux-{to.machine}-gnu"
    _first_that_works(
        [[uv, "python", "install", "--install-dir", str(folder), name]] if uv else [],
        InfrastructureError(
            f"the host has no Python {to.minor}, and there is none here for the type {to.machine}",
            where="uv python install" if uv else "",
            expected=f"Python {to.minor} on the host (any build of it will do), or uv here, and its network",
            remedy=f"install Python {to.minor} there; or name an interpreter there that has npu-launch and Ray "
            f"(python: in the cluster spec); or run this from a machine of the type {to.machine}",
        ),
    )
    prefix = next(path for path in folder.glob(f"cpython-{to.minor}*") if path.is_dir() and not path.is_symlink())
    for source in sorted(prefix.rglob("*")):
        path = source.relative_to(prefix).as_posix()
        within = path.removeprefix(f"lib/python{to.minor}")
        if (
            path == f"bin/python{to.minor}"
            or path.startswith("lib/libpython")
            or (within != path and is_wanted(within))
        ):
            yield from modules(f"{FOLDER}/{path}", source)


def _commands(to: Target) -> Iterator[list[str]]:
    """The beginnings of commands that fetch wheels and unpack them: uv's, and pip's of the Pythons here."""
    common = ["--quiet", "--no-deps", "--python-version", to.minor]
    uv = shutil.which("uv")
    if uv is not None:
        platform = ["--python-platform", f"{to.machine}-manylinux_2_{to.glibc}", "--only-binary", ":all:"]
        yield [uv, "pip", "install", "--python", sys.executable, *common, *platform]
    platforms = [f"manylinux_2_{version}_{to.machine}" for version in range(to.glibc, _OLDEST - 1, -1)]
    platforms += [f"{name}_{to.machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
    for python in dict.fromkeys((sys.executable, getattr(sys, "_base_executable", sys.executable))):
        options = ["--implementation", "cp", "--only-binary=:all:", "--no-compile", "--no-input"]
        chosen = [f"--platform={platform}" for platform in platforms]
        yield [python, "-m", "pip", "install", "--disable-pip-version-check", *common, *options, *chosen]


def _first_that_works(commands: Sequence[Sequence[str]], failure: InfrastructureError) -> None:
    """Run commands until one ends well. Raises the failure, with what the last but one said as well."""
    said = []
    for command in commands:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            said.append(f"{Path(command[0]).name}: {error}")
            continue
        if done.returncode == 0:
            return
        said.append(f"{Path(command[0]).name}: {last_line(done.stderr or done.stdout)}")
    if said:
        failure.what += f" ({'; '.join(said)})"
    raise failure
