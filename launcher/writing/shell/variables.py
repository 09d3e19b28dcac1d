"""Assignments, `export` and its kin, `unset`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from launcher.writing.shell.conditions import Truth
from launcher.writing.shell.course import Course
from launcher.writing.shell.marks import only_label
from launcher.writing.shell.parsing import is_name, source, statements

if TYPE_CHECKING:
    from tree_sitter import Node

# The number of the server: where the script is told it, it is read as on the first one.
_OF_A_SERVER: Final = frozenset({"SERVER_ID", "NODE_RANK", "NODE_ID", "MACHINE_RANK"})


class Variables:
    """Sets variables, and notes what the first name of a value was that is not known."""

    def __init__(self, course: Course) -> None:
        self._course = course
        course.handlers |= {
            "variable_assignment": self._assignment,
            "variable_assignments": lambda node: course.run(statements(node)),
            "declaration_command": self._declaration,
            "unset_command": self._unset,
        }

    def _assignment(self, node: Node) -> Truth:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None or not is_name(source(name)):
            self._course.remark(node, "sets something other than a variable, which is not followed")
            return True
        self._assign(source(name), value, appends=source(node.children[1]) == "+=")
        if self._course.scope.exports_all:
            self._course.scope.exported[source(name)] = self._course.place(node).line
        return True

    def _assign(self, name: str, value: Node | None, *, appends: bool) -> None:
        course, words = self._course, self._course.words
        before = course.scope.variables.get(name, "")
        if value is not None and value.type == "array":
            items = tuple(word for item in value.named_children for word in words.words(item))
            course.scope.variables[name] = (*before, *items) if appends and isinstance(before, tuple) else items
            return
        text = words.text(value) if value is not None else ""
        if (label := only_label(text)) is not None and label != name:
            if value is not None and value.type == "command_substitution" and course.has_started:
                course.remark(value, "comes after the start of the ranks, and is not done")
            course.names.setdefault(label, name)
            text = "0" if name in _OF_A_SERVER else text
        course.scope.variables[name] = before + text if appends and isinstance(before, str) else text

    def _declaration(self, node: Node) -> Truth:
        """`export`, `local`, `readonly`, `declare`"""
        course = self._course
        options = [source(child) for child in node.named_children if child.type == "word"]
        is_export = source(node.children[0]) == "export"
        withdraws = any(option.startswith("-") and "n" in option if is_export else "+x" in option for option in options)
        exports = is_export or any(option.startswith("-") and "x" in option for option in options)
        for child in node.named_children:
            if child.type == "variable_assignment":
                self._assignment(child)
            elif child.type == "word":
                continue
            elif child.type != "variable_name":
                course.remark(child, "what this exports is not known")
                continue
            name = source(child.child_by_field_name("name") or child)
            if withdraws:
                course.scope.exported.pop(name, None)
            elif exports and is_name(name):
                course.scope.exported[name] = course.place(node).line
        return True

    def _unset(self, node: Node) -> Truth:
        scope = self._course.scope
        names = [source(child) for child in node.named_children if child.type == "variable_name"]
        foreign = tuple(name for name in names if name not in scope.variables)
        for name in names:
            scope.variables.pop(name, None)
            scope.exported.pop(name, None)
        return self._course.invoke(("unset", *foreign), node) if foreign else True
