"""Compiled modules for an environment: hosts need not compile Ray's 2,500 files, nor look whether they have changed."""

from __future__ import annotations

import importlib.util
import marshal
import os
import struct
from pathlib import Path
from typing import Final

_UNCHECKED: Final = struct.pack("<II", 1, 0) + bytes(4)  # PEP 552: by a hash that nobody compares, for nothing changes
_HEADER: Final = 16  # bytes: magic number, flags, and time and size of the source, or a hash of it


def compiled_name(path: str) -> str:
    """Where the compiled module of a source lies: `a/__pycache__/b.cpython-311.pyc` of `a/b.py`."""
    return importlib.util.cache_from_source(path, optimization="")


def compiled(source: Path) -> bytes | None:
    """The compiled module of a source here: the one that is there, else made now; None for what does not compile."""
    there = Path(compiled_name(str(source)))
    try:
        found = there.read_bytes()
        status = source.stat()
    except OSError:
        found = b""
    else:
        at = struct.pack("<II", int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
        if found[:_HEADER] != importlib.util.MAGIC_NUMBER + bytes(4) + at:
            found = b""
    if found:
        return importlib.util.MAGIC_NUMBER + _UNCHECKED + found[_HEADER:]
    try:
        code = compile(source.read_bytes(), os.fspath(source), "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):  # a template, or for another version of Python
        return None
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(code)
