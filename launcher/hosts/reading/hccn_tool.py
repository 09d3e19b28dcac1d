"""Reads what `hccn_tool -i N -WHAT -g` says of a device's network port.

Texts: Ascend/mind-cluster (faultdiag 03_collecting_logs.md; npu_info_parser), HCCL user guide (fault_diagnosis).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from launcher.hosts.reading.npu_smi_fields import key_values
from launcher.hosts.reading.text import decimal, excerpt, is_address, is_nothing, plain_lines
from launcher.hosts.report import Unread

_TLS: Final = re.compile(r"tls\s+switch\s*\[\s*([01])\s*\]", re.IGNORECASE)
_LANE: Final = re.compile(r"([TR])x Power(\d)", re.IGNORECASE)


@dataclass(frozen=True)
class PortAddress:
    """`-ip -g`: both are None where none is set."""

    ip: str | None
    netmask: str | None


@dataclass(frozen=True)
class Optical:
    """`-optical -g`: power of the lanes in mW, by their numbers; flags as they are written (`0xff`: all lanes)."""

    present: bool
    temperature: float | None = None
    vendor: str | None = None
    tx_power: Mapping[int, float] = field(default_factory=dict)
    rx_power: Mapping[int, float] = field(default_factory=dict)
    tx_loss: str | None = None
    rx_loss: str | None = None


def read_ip(text: str) -> PortAddress | Unread:
    """The address; nothing printed means that none is set."""
    source = "hccn_tool -ip -g"
    if not text.strip():
        return PortAddress(None, None)
    ip, netmask = _said(text, "ipaddr"), _said(text, "netmask")
    if not is_address(ip):
        return Unread(source, "there is no ipaddr that is an IP address", excerpt(text))
    return PortAddress(ip, netmask if is_address(netmask) or netmask.isdecimal() else None)


def read_link(text: str) -> bool | Unread:
    """Whether the link is up."""
    said = _said(text, "link status").upper()
    if said in ("UP", "DOWN"):
        return said == "UP"
    return Unread("hccn_tool -link -g", "the link status is neither UP nor DOWN", excerpt(text))


def read_net_health(text: str) -> str | Unread:
    """The status as it is written: Success, or Fault, Init, Socket failed, Receive timeout, Unreachable, ..."""
    said = _said(text, "net health status")
    return said or Unread("hccn_tool -net_health -g", "there is no net health status", excerpt(text))


def read_tls(text: str) -> bool | Unread:
    """Whether TLS is enabled between the devices: `tls switch[1](0:disable, 1:enable)`."""
    found = set(_TLS.findall("\n".join(plain_lines(text))))
    if len(found) == 1:
        return found == {"1"}
    return Unread("hccn_tool -tls -g", "there is no tls switch that is 0 or 1", excerpt(text))


def read_optical(text: str) -> Optical | Unread:
    """The optical module. Unread, with the text, when it cannot be reached (`Control link unreachable`)."""
    found = {key.casefold(): value for key, value in key_values(text) if key}
    said = found.get("present", "").casefold()
    if said == "not present":
        return Optical(present=False)
    if said != "present":
        return Unread("hccn_tool -optical -g", "it does not say whether a module is present", excerpt(text))
    powers: dict[str, dict[int, float]] = {"T": {}, "R": {}}
    for key, value in key_values(text):
        match, (number, _, unit) = _LANE.fullmatch(key), value.partition(" ")
        power = decimal(number) if unit == "mW" else None
        if match and power is not None:
            powers[match[1].upper()][int(match[2])] = power
    temperature, vendor = found.get("temperature", "").split(), found.get("vendor name", "")
    return Optical(
        True,
        decimal(temperature[0]) if temperature else None,
        None if is_nothing(vendor) else vendor,
        powers["T"],
        powers["R"],
        found.get("tx los flag"),
        found.get("rx los flag"),
    )


def _said(text: str, wanted: str) -> str:
    """The value of a key; empty without it, and where its lines contradict each other."""
    values = {value for key, value in key_values(text) if key.casefold() == wanted}
    return values.pop() if len(values) == 1 else ""
