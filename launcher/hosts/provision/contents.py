"""What lies in an environment: packages and their programs, from what is installed here or from a folder of wheels.

bin/npu-launch                     python is linked beside it, on the host
lib/python3.11/site-packages/...
python/...                         an interpreter of its own, where the host has none (`own_python.py`)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Final

from launcher.hosts.provision.bytecode import compiled, compiled_name
from launcher.hosts.provision.closure import PACKAGE, Closure, installed_files

_RAY: Final = EntryPoint("ray", "ray.scripts.scripts:main", "console_scripts")
_UNUSED: Final = ("ray/jars/", "ray/dashboard/client/")  # Java, and pages of a dashboard that is off: 48 MB
_LAUNCHER: Final = """\
#!/bin/sh
'''exec' "$(dirname -- "$(readlink -f -- "$0")")/python" "$0" "$@"
' '''
import sys
from {module} import {function}
sys.exit({function}())
"""  # for sh and for Python; a first line with the interpreter's path holds 127 bytes, and knows where it is put


@dataclass(frozen=True)
class Entry:
    """One file: where it lies in the environment, its content when it is asked for, and whether it is a program."""

    path: str
    content: Callable[[], bytes]
    is_program: bool = False


def packages_folder(minor: str) -> str:
    """Where packages lie in an environment."""
    return f"lib/python{minor}/site-packages"


def installed(packages: Closure, minor: str) -> Iterator[Entry]:
    """The packages that are installed here, npu-launch among them. Raises InfrastructureError."""
    for one in packages.needed.values():
        yield from placed(installed_files(one), minor)
    yield from own_package(packages.ours, minor)


def placed(files: Iterable[tuple[str, Path]], minor: str) -> Iterator[Entry]:
    """Files of packages, each with its path from the folder of packages on, put where they belong; compiled as well."""
    folder = packages_folder(minor)
    for path, source in files:
        if path.startswith("../") and source.parent.name == "bin":
            if not _is_script(source):  # a script names the interpreter here: ours are made anew
                yield Entry(f"bin/{source.name}", source.read_bytes, is_program=True)
        elif not path.startswith(("../", "/", *_UNUSED)) and "__pycache__" not in source.parts:
            yield from modules(f"{folder}/{path}", source)


def _is_script(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(2) == b"#!"


def modules(path: str, source: Path) -> Iterator[Entry]:
    """A file, and if it is a module the compiled one beside it."""
    if not source.is_file():
        return
    yield Entry(path, source.read_bytes, is_program=bool(source.stat().st_mode & 0o100))
    if path.endswith(".py") and (code := compiled(source)) is not None:
        yield Entry(compiled_name(path), lambda: code)


def own_package(ours: Distribution, minor: str) -> Iterator[Entry]:
    """npu-launch, wherever it is installed from: its package, its metadata, its program and Ray's."""
    folder = packages_folder(minor)
    for source in sorted(PACKAGE.rglob("*")):
        if "__pycache__" not in source.parts:
            yield from modules(f"{folder}/{PACKAGE.name}/{source.relative_to(PACKAGE).as_posix()}", source)
    metadata = f"{folder}/npu_launch-{ours.version}.dist-info"
    for name in ("METADATA", "entry_points.txt"):
        yield Entry(f"{metadata}/{name}", (ours.read_text(name) or "").encode)
    for one in (*ours.entry_points, _RAY):
        text = _LAUNCHER.format(module=one.module, function=one.attr)
        yield Entry(f"bin/{one.name}", text.encode, is_program=True)
