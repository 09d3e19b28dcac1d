"""This machine's own interpreter, to be taken to hosts of the same type that have none.

It comes with the libraries that its modules want, those of the C library apart, in a folder where it finds them
wherever it lies. That takes an entry in the program for where its libraries are (RPATH, as pyenv's and conda's have);
one without, such as the system's own, finds only what the host has.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from launcher.errors import InfrastructureError
from launcher.hosts.provision.contents import Entry, modules
from launcher.hosts.provision.elf import is_elf, with_run_path

FOLDER: Final = "python"  # in an environment

_UNUSED: Final = re.compile(r"/(site-packages|dist-packages|test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3)/")
_UNUSED_BUILD: Final = re.compile(r"/config-\d|/lib-dynload/(_tkinter|_test|_ctypes_test|xx)|/__pycache__/")
_OF_GLIBC: Final = re.compile(r"(ld-linux[-\w]*|lib(c|m|dl|rt|pthread|util|resolv|anl|nss_\w+))\.so")
_OF_SYSTEM: Final = re.compile(r"/(usr/)?lib(32|64)?/")


def program_name() -> str:
    """The interpreter's path in its folder."""
    return f"bin/python{sys.version_info[0]}.{sys.version_info[1]}"


def own_python() -> Iterator[Entry]:
    """The files of the interpreter that runs this. Raises InfrastructureError when it does not stand on its own."""
    prefix = Path(sys.base_prefix)
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(prefix), "base": str(prefix)}))
    program = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    place = f"{FOLDER}/{library.relative_to(prefix).as_posix()}"
    native: list[Path] = []
    for source in sorted(library.rglob("*")):
        within = f"/{source.relative_to(library).as_posix()}"
        if not is_wanted(within):
            continue
        if ".so" in source.suffixes:
            native.append(source)
        else:
            yield from modules(f"{place}{within}", source)
    libraries = _libraries(program, native)
    yield _movable(program, f"{FOLDER}/{program_name()}", "$ORIGIN/../lib", required=bool(_foreign(libraries)))
    for source in native:
        inside = source.relative_to(prefix)
        up = "/".join([".."] * (len(inside.parts) - 1))
        yield _movable(source, f"{FOLDER}/{inside.as_posix()}", f"$ORIGIN/{up}/lib", required=False)
    for name, source in sorted(libraries.items()):
        yield Entry(f"{FOLDER}/lib/{name}", source.read_bytes)


def is_wanted(path: str) -> bool:
    """Whether a file of the standard library, by its path in it, is of use to us: not its tests, nor its windows."""
    return not _UNUSED.search(f"{path}/") and not _UNUSED_BUILD.search(path)


def _movable(source: Path, path: str, libraries: str, *, required: bool) -> Entry:
    """A program or library that looks for its libraries in the environment, if it says at all where to look."""
    content = source.read_bytes()
    changed = with_run_path(content, libraries) if is_elf(content) else None
    if changed is None and required:
        raise InfrastructureError(
            "this Python cannot be taken to hosts that have none: it says nowhere where its libraries lie",
            where=str(source),
            expected="an interpreter of uv, pyenv or conda, or the system's with the system's libraries alone",
            remedy="install npu-launch under such a Python here, or one of the same minor version on the host",
        )
    return Entry(path, (lambda: changed) if changed is not None else source.read_bytes, is_program=True)


def _foreign(libraries: Mapping[str, Path]) -> list[Path]:
    """Libraries that no system has by itself."""
    return [path for path in libraries.values() if not _OF_SYSTEM.match(str(path))]


def _libraries(program: Path, native: list[Path]) -> Mapping[str, Path]:
    """Where the libraries are that these want, by name; those of the C library are the host's own."""
    listed = subprocess.run(
        ["ldd", *map(str, (program, *native))],  # noqa: S607  wherever this system has it
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.findall(r"^\s+(\S+) => (/\S+)", listed, re.MULTILINE)
    return {name: Path(path) for name, path in found if not _OF_GLIBC.match(name)}
