"""`if`, `case`, `&&` and `||`.

Where the way depends on what only a running script knows, one way is taken and a remark made: a branch that ends the
script is a check, and is not taken; of two branches the one that starts a training is; else the condition is taken as
false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from launcher.writing.shell.branches import Arm, arms, case_items
from launcher.writing.shell.conditions import Truth, both, either, negated
from launcher.writing.shell.course import Course
from launcher.writing.shell.marks import is_known, unknown
from launcher.writing.shell.parsing import holds, source
from launcher.writing.shell.patterns import matches

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_ARGUMENTS: Final = 12  # that a script may ask for


class Branching:
    """Chooses branches."""

    def __init__(self, course: Course) -> None:
        self._course = course
        course.handlers |= {
            "if_statement": lambda node: self._first_of(arms(node)),
            "case_statement": self._case,
            "list": self._list,
            "negated_command": lambda node: negated(course.statement(node.named_children[-1])),
            "test_command": course.conditions.holds,
        }

    def _list(self, node: Node) -> Truth:
        """`left && right`, `left || right`"""
        left, sign, right = node.children[0], source(node.children[1]), node.children[-1]
        course = self._course
        if sign == "&&":
            return self._first_of([Arm([left], [right])], otherwise=False)
        truth = course.statement(left)
        if truth is True:
            return True
        tried = course.tried([right])
        if tried.exits and not course.has_started:
            return True
        if truth is None and tried.changes:
            course.remark(left, "whether this holds is not known: it is taken as false")
        return either(truth, course.statement(right))

    def _first_of(self, branches: list[Arm], *, otherwise: Truth = True) -> Truth:
        """The first branch whose condition holds; `otherwise` is the outcome when there is none."""
        if not branches:
            return otherwise
        course, (arm, *rest) = self._course, branches
        if not arm.condition:
            return course.run(arm.body)
        self._settle_count(arm)
        truth = course.run(arm.condition)
        if truth is False:
            return self._first_of(rest, otherwise=otherwise)
        tried = course.tried(arm.body)
        if tried.exits and not course.has_started:
            if truth:
                self._require(arm)
            return self._first_of(rest, otherwise=otherwise)
        if truth is None and (not tried.starts or any(course.tried(other.body).starts for other in rest)):
            if tried.changes:
                course.remark(arm.condition[0], "whether this holds is not known: it is taken as false")
            return both(None, self._first_of(rest, otherwise=otherwise))
        if truth is None:
            course.remark(arm.condition[0], "whether this holds is not known: it is taken as true")
        return course.run(arm.body)

    def _settle_count(self, arm: Arm) -> None:
        """Where the script ends unless it is given as many arguments as it wants, give it so many."""
        scope, course = self._course.scope, self._course
        arguments = scope.arguments
        if arguments.given is not None or not any(holds(node, "special_variable_name", "#") for node in arm.condition):
            return
        for count in range(_MOST_ARGUMENTS + 1):
            scope.arguments = arguments.counted(count)
            if course.run(arm.condition) is False or not course.tried(arm.body).exits:
                break
        if not count or count == _MOST_ARGUMENTS:
            scope.arguments = arguments

    def _require(self, arm: Arm) -> None:
        """A check that fails because a variable is empty: it has to be given."""
        variables = self._course.scope.variables
        for name in arm.variables:
            if variables.get(name) == "":
                variables[name] = unknown(name)

    def _case(self, node: Node) -> Truth:
        course, value = self._course, node.child_by_field_name("value")
        text = course.words.text(value) if value is not None else ""
        for item in case_items(node):
            patterns = [course.words.text(pattern) for pattern in item.patterns]
            if not (any(matches(text, pattern) for pattern in patterns) if is_known(text) else "*" in patterns):
                continue
            if not is_known(text):
                course.remark(node, "which case this is is not known: it is taken as the last")
            if course.tried(item.body).exits and not course.has_started:
                return True
            return course.run(item.body)
        return True
