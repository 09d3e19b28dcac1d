"""Findings that are alike, told once with all the places that they concern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity, remedy_for
from launcher.runs.ranks import rank_list, ranks_phrase

_SEVERAL: Final = 4  # findings that differ in numbers alone are told one by one up to so many
_HOSTS_SHOWN: Final = 6  # hosts, or runs of hosts, that are named before the rest is counted

_NUMBER = re.compile(r"([0-9]{1,18})")
_LAST_NUMBER = re.compile(r"(.*?)([0-9]{1,18})([^0-9]*)", re.DOTALL)


@dataclass(frozen=True)
class Group:
    """One finding at one or more places, which are (host, device) as in `Finding`; `ranks` are those on them."""

    severity: Severity
    check: Check
    seen: str
    expected: str
    remedy: str
    source: str
    places: tuple[tuple[str | None, int | None], ...]
    ranks: tuple[int, ...]

    @property
    def where(self) -> str:
        """`node[001-064] devices 0-7 (ranks 0-511)`; empty for what is about no host."""
        ranks = f" ({ranks_phrase(self.ranks)})" if self.ranks else ""
        return f"{places_phrase(self.places)}{ranks}" if any(host for host, _ in self.places) else ""


def grouped(findings: Iterable[Finding], ranks: Mapping[tuple[str, int], int]) -> tuple[Group, ...]:
    """Findings that say the same, and many that differ in numbers alone, as one; in the order of their first ones.

    `ranks` are the ranks by (host, device). Numbers that differ become a range: `60101-60478 of 65536 MB`.
    """
    families: dict[tuple[object, ...], dict[tuple[str, str, str], list[Finding]]] = {}
    for finding in findings:
        texts = (finding.seen, finding.expected, finding.remedy)
        alike = (finding.severity, finding.check, finding.source, *(_NUMBER.sub("0", text) for text in texts))
        families.setdefault(alike, {}).setdefault(texts, []).append(finding)
    groups: list[Group] = []
    for family in families.values():
        if len(family) <= _SEVERAL:
            groups += [_group(texts, members, ranks) for texts, members in family.items()]
        else:
            seen = _ranges([texts[0] for texts in family])
            _, expected, remedy = next(iter(family))
            groups.append(_group((seen, expected, remedy), [f for fs in family.values() for f in fs], ranks))
    return tuple(groups)


def _group(texts: tuple[str, str, str], members: Sequence[Finding], ranks: Mapping[tuple[str, int], int]) -> Group:
    first = members[0]
    places = tuple(dict.fromkeys((finding.host, finding.device) for finding in members))
    devices = tuple(dict.fromkeys(device for _, device in places if device is not None))
    sitting = {ranks.get((host, device)) for host, device in places if host is not None and device is not None}
    seen, expected, remedy = texts
    return Group(
        first.severity,
        first.check,
        seen,
        expected,
        remedy_for(remedy, devices),
        first.source,
        places,
        tuple(sorted(rank for rank in sitting if rank is not None)),
    )


def places_phrase(places: Iterable[tuple[str | None, int | None]]) -> str:
    """`node[001-064] devices 0-7`, `a device 3; b devices 0,2`: hosts that have the same devices together."""
    devices: dict[str, list[int]] = {}
    for host, device in places:
        if host is not None:
            devices.setdefault(host, []).extend([] if device is None else [device])
    hosts: dict[str, list[str]] = {}
    for host, ids in devices.items():
        one = "device" if len(ids) == 1 else "devices"
        hosts.setdefault(f" {one} {rank_list(ids)}" if ids else "", []).append(host)
    parts = [f"{hosts_phrase(names)}{which}" for which, names in hosts.items()]
    if len(parts) > _HOSTS_SHOWN:
        rest = sum(len(names) for names in list(hosts.values())[_HOSTS_SHOWN:])
        parts = [*parts[:_HOSTS_SHOWN], f"{rest} more hosts"]
    return "; ".join(parts)


def hosts_phrase(names: Iterable[str]) -> str:
    """`node[001-003,007]`, `a, b`: names that differ in their last number alone are one, as in a cluster spec."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in names:
        match = _LAST_NUMBER.fullmatch(name)
        head, number, tail = match.groups() if match else (name, "", "")
        alike.setdefault((head, tail), []).append(number)
    parts = [f"{head}{inside}{tail}" for (head, tail), numbers in alike.items() for inside in _bracketed(numbers)]
    if len(parts) > _HOSTS_SHOWN:
        parts = [*parts[:_HOSTS_SHOWN], f"{len(parts) - _HOSTS_SHOWN} more"]
    return ", ".join(parts)


def _bracketed(numbers: Sequence[str]) -> Iterator[str]:
    """`[001-064]`, for numbers that are written with leading zeros and for others; a single one as it is."""
    padded = {len(number) for number in numbers if number.startswith("0") and len(number) > 1}
    by_width: dict[int, list[str]] = {}
    for number in numbers:
        by_width.setdefault(len(number) if len(number) in padded else 0, []).append(number)
    for width, members in by_width.items():
        if len(members) == 1:
            yield members[0]
        else:
            spans = (span.split("-") for span in rank_list(map(int, members)).split(","))
            yield f"[{','.join('-'.join(f'{int(end):0{width}}' for end in span) for span in spans)}]"


def _ranges(texts: Sequence[str]) -> str:
    """Texts that differ in numbers alone as one text."""
    columns = zip(*(_NUMBER.split(text) for text in texts), strict=True)
    found = []
    for column in columns:
        values = set(column)
        if len(values) == 1:
            found.append(column[0])
        else:
            numbers = sorted(map(int, values))
            found.append(f"{numbers[0]}-{numbers[-1]}")
    return "".join(found)
