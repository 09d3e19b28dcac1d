"""The branches of `if` and `case`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.writing.shell.parsing import source

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True)
class Arm:
    """A branch: what has to hold (nothing: `else`), and what is done then."""

    condition: list[Node]
    body: list[Node]

    @property
    def variables(self) -> set[str]:
        """The names of the variables in the condition."""
        return {name for node in self.condition for name in _variables(node)}


@dataclass(frozen=True)
class CaseItem:
    """A branch of `case`."""

    patterns: list[Node]
    body: list[Node]


def arms(node: Node) -> list[Arm]:
    """The branches of an `if`, in order."""
    before: list[Node] = []
    after: list[Node] = []
    clauses: list[Node] = []
    seen_then = False
    for child in node.children:
        if child.type in ("elif_clause", "else_clause"):
            clauses.append(child)
        elif child.type == "then":
            seen_then = True
        elif child.is_named and child.type != "comment":
            (after if seen_then else before).append(child)
    found = [Arm(before, after)] if node.type != "else_clause" else [Arm([], before)]
    return found + [arm for clause in clauses for arm in arms(clause)]


def case_items(node: Node) -> Iterator[CaseItem]:
    """The branches of a `case`, in order."""
    for item in node.named_children:
        if item.type == "case_item":
            patterns = item.children_by_field_name("value")
            starts = {pattern.start_byte for pattern in patterns}
            rest = [child for child in item.named_children if child.start_byte not in starts]
            yield CaseItem(patterns, [child for child in rest if child.type != "comment"])


def _variables(node: Node) -> Iterator[str]:
    if node.type == "variable_name":
        yield source(node)
    for child in node.children:
        yield from _variables(child)
