"""What is wrong with a rank table, for people: each kind once, with the places where it was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from launcher.cli.wording import count
from launcher.logs.safe import safe_line

if TYPE_CHECKING:
    from launcher.errors import NpuLaunchError
    from launcher.hosts.rank_table_check import Mismatch
    from launcher.planning.ranktable.violation import Violation

PLACES_SHOWN: Final = 3


@dataclass(frozen=True)
class _Line:
    """One fault: `kind` is what faults of a group have in common, `seen` is its own line."""

    is_refused: bool
    kind: tuple[Any, ...]
    head: str
    label: str
    says: str
    seen: str
    remedy: str


def violation_lines(violations: Iterable[Violation], name: str) -> list[str]:
    """The violations of a file of that name, those of a kind together: what HCCL refuses first."""
    return _grouped([_violation(each, name) for each in violations])


def _violation(each: Violation, name: str) -> _Line:
    place = f"{name}:{each.line}:{each.column}" if each.line is not None else name
    return _Line(
        is_refused=each.is_refused,
        kind=(each.rule, each.remedy),
        head=f"{each.severity.value:7}  {each.rule}",
        label="HCCL" if each.codes else "why",
        says=f"{_codes(each.codes)}{each.says}",
        seen=f"{place}  {each.path}{'  ' * bool(each.path)}{each.seen}",
        remedy=each.remedy,
    )


def mismatch_lines(mismatches: Iterable[Mismatch]) -> list[str]:
    """Where table and hosts do not agree, those of a kind together: what HCCL refuses first."""
    return _grouped([_mismatch(each) for each in mismatches])


def _mismatch(each: Mismatch) -> _Line:
    odd = f"  odd: {', '.join(each.odd)}" if each.odd else ""
    return _Line(
        is_refused=each.is_refused,
        kind=(each.severity, each.odd, each.codes, each.host),
        head=f"{each.severity.value:7}  {each.host or 'the cluster'}{odd}",
        label="HCCL" if each.codes else "why",
        says=f"{_codes(each.codes)}{each.says}",
        seen=f"{'' if each.rank is None else f'rank {each.rank}  '}{each.path}  {each.seen}",
        remedy=each.remedy,
    )


def _codes(codes: Sequence[str]) -> str:
    """`EI0004, EI0014 in newer CANN: `; nothing where HCCL reports no code."""
    if not codes:
        return ""
    newer = f", {codes[1]} in newer CANN" if len(codes) > 1 else ""
    return f"{codes[0]}{newer}: "


def _grouped(faults: Sequence[_Line]) -> list[str]:
    groups: dict[tuple[Any, ...], list[_Line]] = {}
    for fault in sorted(faults, key=lambda fault: not fault.is_refused):
        groups.setdefault(fault.kind, []).append(fault)
    return [line for group in groups.values() for line in _group_lines(group)]


def _group_lines(group: Sequence[_Line]) -> list[str]:
    """The first faults of a group and the last; what to do about it once, where that is the same for all."""
    first, left_out = group[0], len(group) - PLACES_SHOWN
    is_same = len({fault.remedy for fault in group}) == 1
    lines = [safe_line(first.head) + (f"  ({len(group)} times)" if len(group) > 1 else "")]
    for fault in group if left_out <= 1 else [*group[: PLACES_SHOWN - 1], group[-1]]:
        if left_out > 1 and fault is group[-1]:
            lines.append(f"  ... and {count(left_out, 'more place')} ...")
        lines.append(f"  {safe_line(fault.seen)}")
        lines += [] if is_same else [f"    remedy  {safe_line(fault.remedy)}"]
    lines += [f"  {first.label:6}  {safe_line(first.says)}"] if first.says else []
    lines += [f"  remedy  {safe_line(first.remedy)}"] if is_same else []
    return [*lines, ""]


def unreached_lines(unreached: Iterable[tuple[str, NpuLaunchError]]) -> list[str]:
    """The hosts that were not compared, and why."""
    return [
        line
        for host, error in unreached
        for line in (f"unknown  {safe_line(host)}", *(f"  {safe_line(part)}" for part in str(error).split("\n")), "")
    ]


def summary_line(name: str, what: str, refused: int, warnings: int) -> str:
    """One sentence: how many faults, and whether HCCL would take the table."""
    told = f"{safe_line(name)}: {what}: "
    if refused:
        return f"{told}HCCL refuses it: {count(refused, 'fault')}, {count(warnings, 'warning')}"
    return f"{told}sound, with {count(warnings, 'warning')}" if warnings else f"{told}sound"
