"""Whether a rule holds of a record, and what it reads out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from launcher.diagnose.arithmetic import holds
from launcher.diagnose.region import Region
from launcher.diagnose.rule import Rule
from launcher.diagnose.wanted import Found
from launcher.logs.record import LogFile, Record, Source


class Held(NamedTuple):
    """The numbers of the lines that show it, the one that the rule is about first, and what was read out of them."""

    lines: tuple[int, ...]
    extracted: Mapping[str, str]


def held(rule: Rule, record: Record, region: Region, file: LogFile) -> Held | None:
    """What a rule finds in a record and in what stands around it; None where it does not hold."""
    inside = _inside(rule, record.text)
    if inside is None or not _is_meant(rule, record, file):
        return None
    line = region.line_of(record, inside.begin)
    extracted = dict(inside.groups)
    lines = [line]
    for pattern in rule.wanted_near:
        for number, text in region.near(line, rule.within):
            if found := pattern.find(text):
                extracted = {**found.groups, **extracted}
                lines += [number] if number not in lines else []
                break
        else:
            return None
    if any(pattern.find(text) for pattern in rule.wanted_away for _, text in region.near(line, rule.within)):
        return None
    if not all(holds(condition, extracted) for condition in rule.given):
        return None
    return Held(tuple(lines), extracted)


def _inside(rule: Rule, text: str) -> Found | None:
    """The first of the rule's patterns in a record, with what all of them read; None where the record is another."""
    if any(pattern.find(text) for pattern in rule.wanted_none):
        return None
    found: list[Found] = []
    for pattern in rule.wanted_all:
        match = pattern.find(text)
        if match is None:
            return None
        found.append(match)
    if rule.wanted_any:
        matches = (pattern.find(text) for pattern in rule.wanted_any)
        match = next((match for match in matches if match is not None), None)
        if match is None:
            return None
        found.append(match)
    groups: dict[str, str] = {}
    for each in found:
        groups = {**each.groups, **groups}
    return Found(found[0].begin, groups)


def _is_meant(rule: Rule, record: Record, file: LogFile) -> bool:
    return (
        (record.level is None or record.level in rule.levels)
        and (not rule.module or record.module in rule.module)
        and (file.source in rule.source if rule.source else file.source is not Source.LAUNCHER)
    )
