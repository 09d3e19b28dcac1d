"""From the text of a rank table to the table."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from launcher.errors import SpecError
from launcher.planning.ranktable.check import LAYOUTS, check_table
from launcher.planning.ranktable.entry import RankEntry, Table
from launcher.planning.ranktable.formats import RankTable, TableFormat, format_of
from launcher.planning.ranktable.violation import Violation

_SHOWN = 10
# What leaves a table unreadable; other violations are for `check_table` to tell.
_UNREADABLE = frozenset(
    {
        *("file-too-large", "not-text", "not-json", "comment", "wrong-kind", "not-a-string", "not-an-integer"),
        *("missing-key", "version", "no-version", "status", "status-unread"),
    }
)


def read_table(content: str | bytes, where: str) -> RankTable:
    """The table that a text holds, with the keys that nobody knows; `where` is its file's name.

    Raises SpecError, with all that leaves the table unreadable, or when it is not completed yet.
    """
    problems = [each for each in check_table(content) if each.rule in _UNREADABLE]
    if problems:
        raise _error(problems, where)
    try:
        return _ADAPTER.validate_json(content if isinstance(content, str) else content.decode().removeprefix("\ufeff"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SpecError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", where=where) from None


_ADAPTER: TypeAdapter[RankTable] = TypeAdapter(RankTable)


def _error(problems: list[Violation], where: str) -> SpecError:
    def place(problem: Violation) -> str:
        return f"{where}:{problem.line}:{problem.column}" if problem.line else where

    def what(problem: Violation) -> str:
        return f"{problem.path} " * bool(problem.path) + f"({problem.seen})"

    if len(problems) == 1:
        only = problems[0]
        path = f"{only.path}: " if only.path else ""
        return SpecError(f"{path}{only.seen}", where=place(only), remedy=only.remedy)
    lines = [f"  {place(problem)}: {what(problem)}; {problem.remedy}" for problem in problems[:_SHOWN]]
    more = [f"  and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return SpecError("\n".join([f"{len(problems)} problems", *lines, *more]), where=where)


def ranks_of(table: Table) -> tuple[RankEntry, ...]:
    """The ranks of a table, in their order."""
    layout = LAYOUTS[format_read(table)]
    entries = layout.entries(table.model_dump(mode="json", exclude_none=True))
    return tuple(sorted(entries, key=lambda entry: -1 if entry.rank is None else entry.rank))


def format_read(table: Table) -> TableFormat:
    """The format of a table that was read."""
    format = format_of(table)
    assert format is not None, "a table that was read has a known version"
    return format
