"""What a look at the hosts has found: one thing at one place, with what to do about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum

from launcher.errors import NpuLaunchError

_DEVICE = "{device}"


class Severity(str, Enum):
    """What a finding means for a run, worst first."""

    REFUSE = "refuse"
    WARN = "warn"
    NOTE = "note"


class Check(str, Enum):
    """What was looked at, in the order in which findings are told."""

    PREFLIGHT = "preflight"
    REACH = "reach"
    PLACEMENT = "placement"
    PATHS = "paths"
    DEVICES = "devices"
    MEMORY = "memory"
    NETWORK = "network"
    VERSIONS = "versions"
    PORTS = "ports"
    SPACE = "space"
    LIMITS = "limits"
    CLOCKS = "clocks"
    CONTAINER = "container"
    UNREAD = "unread"


@dataclass(frozen=True)
class Finding:
    """One thing at one place; without a host it is about the job or all hosts, without a device about the host.

    `remedy` is a command where there is one; `{device}` in it stands for the device's id, so that one text serves all
    devices that have the same finding. `source` names where a fact about the software is from.
    """

    severity: Severity
    check: Check
    seen: str
    expected: str = ""
    remedy: str = ""
    host: str | None = None
    device: int | None = None
    source: str = ""

    @property
    def command(self) -> str:
        """The remedy for this device."""
        return remedy_for(self.remedy, () if self.device is None else (self.device,))

    def at(self, host: str, device: int | None = None) -> Finding:
        """The same at this place."""
        return replace(self, host=host, device=device)


def finding_of(error: NpuLaunchError, check: Check, host: str | None = None) -> Finding:
    """An error that stands in the way of a run, as a finding."""
    is_told = host is not None and (error.where or "").startswith(f"host {host}")
    seen = f"{error.where}: {error.what}" if error.where and not is_told else error.what
    return Finding(Severity.REFUSE, check, seen, error.expected, error.remedy, host)


def remedy_for(remedy: str, devices: Collection[int]) -> str:
    """A remedy for these devices: with the id of one, with N for that of each of several."""
    return remedy.replace(_DEVICE, str(*devices) if len(devices) == 1 else "N")
