"""Reads which Ascend software is installed: version.info and install.info files (Ascend/mind-cluster, faultdiag)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from launcher.hosts.reading.text import excerpt, plain_lines
from launcher.hosts.report import Package, Unread

_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_RANGE: Final = re.compile(r"\[[^\[\]]*\]")


def settings(text: str) -> Mapping[str, str]:
    """`key=value` lines, keys in lower case; the first of a key counts."""
    found: dict[str, str] = {}
    for line in plain_lines(text):
        key, equals, value = line.partition("=")
        if equals and not key.strip().startswith("#"):
            found.setdefault(key.strip().casefold(), value.strip())
    return found


def read_version(text: str, path: str) -> Package | Unread:
    """What a version.info or install.info says: `Version=` or `version=`, and the ranges of its counterpart."""
    found = settings(text)
    version = found.get("version", "")
    if not _VERSION.fullmatch(version):
        return Unread(path, "there is no Version= that is a version", excerpt(text))
    ranges = found.get("compatible_version_fw") or found.get("compatible_version_drv") or ""
    return Package(version, path, tuple(_RANGE.findall(ranges)))
