"""What an interpreter is and has: the part that runs under the interpreter itself, here and on hosts.

The source of this module is given to `python -I -c` there, so it is one file, of the standard library alone, for Python
3.7 and later. It answers with one line of JSON, and imports nothing of what it looks for.
"""

# ruff: noqa: PTH118, PTH120, PTH123

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

NEEDED_MODULES = ("ctypes", "ssl", "zlib")  # of the standard library, which some builds of Python are without


def code_digest(folder: str) -> str:
    """A digest of all files below a package's folder, but for compiled ones: sha256 of names and contents."""
    digest = hashlib.sha256()
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if not name.endswith(".pyc"):
                file = os.path.join(path, name)
                with open(file, "rb") as stream:
                    content = hashlib.sha256(stream.read()).hexdigest()
                digest.update("{}\0{}\n".format(os.path.relpath(file, folder), content).encode())  # noqa: UP032
    return digest.hexdigest()


def identity() -> dict[str, Any]:
    """The interpreter's version, the program it comes from, what it lacks, and which npu-launch and Ray it has."""
    lacks = []
    for module in NEEDED_MODULES:
        try:
            __import__(module)
        except ImportError:
            lacks.append(module)
    return {
        "version": list(sys.version_info[:3]),
        "base": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
        "lacks": lacks,
        "npu_launch": _version("npu-launch"),
        "ray": _version("ray"),
        "code": _package_digest("launcher"),
    }


def _version(distribution: str) -> str | None:
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # before Python 3.8
        return None
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _package_digest(package: str) -> str | None:
    from importlib.util import find_spec

    spec = find_spec(package)
    return code_digest(os.path.dirname(spec.origin)) if spec is not None and spec.origin else None


def main() -> None:
    """Answer with one line."""
    sys.stdout.write(json.dumps(identity()) + "\n")
