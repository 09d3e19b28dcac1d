"""Which software a run ran on, as far as its folder and this machine tell."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from launcher.bundle.collecting import Member

_PACKAGES: Final = ("npu-launch", "ray", "mindspore", "torch", "torch_npu", "tensorflow", "npu_bridge")
_FILES: Final = (
    (re.compile(r"hosts/([^/]+)/files/.*/driver/version\.info$"), "driver"),
    (re.compile(r"hosts/([^/]+)/files/.*/firmware/version\.info$"), "firmware"),
    (re.compile(r"hosts/([^/]+)/files/.*(?:toolkit|nnae)_install\.info$"), "CANN"),
)
_VERSION = re.compile(r"^[Vv]ersion=(\S+)", re.MULTILINE)


def versions(members: Iterable[Member]) -> dict[str, str]:
    """Names and versions; of what hosts said after a failure (driver, firmware, CANN), with the host."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {os.uname().release}"}
    found["machine"] = platform.machine()
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**found, **_of_hosts(members)}


def _of_hosts(members: Iterable[Member]) -> Mapping[str, str]:
    found = {}
    for member in members:
        for pattern, what in _FILES:
            host, said = pattern.search(member.name), _VERSION.search(member.content.decode("utf-8", "replace"))
            if host is not None and said is not None:
                found[f"{what} on {host[1]}"] = said[1]
    return found
