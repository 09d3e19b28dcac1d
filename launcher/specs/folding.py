"""Hosts that count upwards, written as one pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

_NUMBER: Final = re.compile(r"([0-9]{1,18})")
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
    """Whether `after` is one more than `before` in one number, the only one in which these two and `begin` differ.

    How many digits it has is said by the list's begin.
    """
    first, last, new = (_NUMBER.split(text) for text in (begin, before, after))
    places = _differences(last, new)
    if len(places) != 1 or places[0] % 2 == 0 or not set(_differences(first, last)) <= set(places):
        return False
    at = places[0]
    width = len(first[at]) if first[at].startswith("0") and len(first[at]) > 1 else 1
    number = f"{int(last[at]) + 1:0{width}}"
    return new[at] == number and (width == 1 or len(number) == width)


def _differences(one: Sequence[str], other: Sequence[str]) -> list[int]:
    """Which parts of two split texts differ; numbers have the odd places."""
    return [place for place, (a, b) in enumerate(zip_longest(one, other)) if a != b]


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
    parts, ends = _NUMBER.split(first), _NUMBER.split(last)
    (at,) = _differences(parts, ends)
    return "".join([*parts[:at], f"[{parts[at]}-{ends[at]}]", *parts[at + 1 :]])
