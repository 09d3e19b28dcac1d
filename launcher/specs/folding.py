"""Hosts that count upwards, written as one pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_LAST_NUMBER: Final = re.compile(r"(.*?)([0-9]{1,18})([^0-9]*)", re.DOTALL | re.ASCII)
_COUNTED: Final = ("name", "address")


def fold_hosts(hosts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The hosts of a cluster file, neighbours that differ only in numbers that count upwards as one entry.

    Their names and addresses have to count, and so have the addresses of each of their devices. Expanded again they are
    the same hosts in the same order.
    """
    folded: list[Mapping[str, Any]] = []
    group: list[Mapping[str, Any]] = []
    for host in hosts:
        if group and not _follows(group, host):
            folded.append(_entry(group))
            group = []
        group.append(host)
    return [*folded, _entry(group)] if group else folded


def _follows(group: Sequence[Mapping[str, Any]], host: Mapping[str, Any]) -> bool:
    """Whether a host goes on with a group, whose members all have the same devices but for their addresses."""
    first, last = group[0], group[-1]
    if _apart_from_counting(host) != _apart_from_counting(last):
        return False
    texts = zip(_counted(first), _counted(last), _counted(host), strict=True)
    return all(_is_next(begin, before, after) for begin, before, after in texts)


def _apart_from_counting(host: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be the same in all hosts of an entry; each of its devices has an address, or none has."""
    rest = {key: value for key, value in host.items() if key not in _COUNTED}
    if _ips(host):
        rest["devices"] = [{**device, "ip": ""} for device in host["devices"]]
    return rest


def _ips(host: Mapping[str, Any]) -> list[str]:
    """The addresses of the devices, when each has one."""
    devices = host.get("devices")
    found = [device.get("ip") for device in devices] if isinstance(devices, list) else []
    return [] if None in found else [str(ip) for ip in found]


def _counted(host: Mapping[str, Any]) -> list[str]:
    """All texts of a host that have to count upwards."""
    return [*(host[key] for key in _COUNTED), *_ips(host)]


def _is_next(begin: str, before: str, after: str) -> bool:
    """Whether `after` is one more than `before`, in a list from `begin` on, which says how many digits there are."""
    first, match = _LAST_NUMBER.fullmatch(begin), _LAST_NUMBER.fullmatch(before)
    if first is None or match is None:
        return False
    width = len(first[2]) if first[2].startswith("0") and len(first[2]) > 1 else 1
    number = f"{int(match[2]) + 1:0{width}}"
    return after == f"{match[1]}{number}{match[3]}" and (width == 1 or len(number) == width)


def _entry(group: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    first, last = group[0], group[-1]
    entry = dict(first)
    if len(group) > 1:
        entry |= {key: _pattern(first[key], last[key]) for key in _COUNTED}
    if entry["address"] == entry["name"]:
        del entry["address"]
    ips = _ips(first)
    if ips and len(group) > 1:
        bare = [{key: value for key, value in device.items() if key != "ip"} for device in first["devices"]]
        are_counted = all(device == {"id": number} for number, device in enumerate(bare))
        entry["devices"] = len(bare) if are_counted else bare
        entry["device_ips"] = [_pattern(begin, end) for begin, end in zip(ips, _ips(last), strict=True)]
    return entry


def _pattern(first: str, last: str) -> str:
    """The pattern of texts that count upwards."""
    match, end = _LAST_NUMBER.fullmatch(first), _LAST_NUMBER.fullmatch(last)
    assert match and end, "texts that count have a number"
    return f"{match[1]}[{match[2]}-{end[2]}]{match[3]}"
