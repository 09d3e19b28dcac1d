"""`for`, `while` and `until`. A loop whose end is not known runs eight times, once for each device of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from launcher.writing.shell.arithmetic import NotKnown
from launcher.writing.shell.conditions import Truth, negated
from launcher.writing.shell.course import GUESS, Course, Left
from launcher.writing.shell.marks import is_known
from launcher.writing.shell.parsing import source, takes_all_arguments

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_TURNS: Final = 4096
_CUT_OFF: Final = f"is cut off after {_MOST_TURNS} turns"


class Loops:
    """Goes through loops turn by turn."""

    def __init__(self, course: Course) -> None:
        self._course = course
        course.handlers |= {
            "for_statement": self._for,
            "c_style_for_statement": self._counting,
            "while_statement": self._while,
        }

    def _for(self, node: Node) -> Truth:
        course, scope = self._course, self._course.scope
        variable, body = node.child_by_field_name("variable"), node.child_by_field_name("body")
        if variable is None or body is None:
            return True
        values = node.children_by_field_name("value")
        listed = [word for value in values for word in course.words.words(value)]
        if not any(source(child) == "in" for child in node.children):
            listed = list(scope.arguments.given or ())
        if scope.arguments.given is None and any(map(takes_all_arguments, values)):
            course.remark(node, "goes over the script's own options, of which none is given (--arg gives them)")
        if not all(map(is_known, listed)):
            listed = list(map(str, range(GUESS)))
            if course.tried([body]).changes:
                course.remark(node, f"what this loop goes over is not known: {GUESS} times, with 0 to {GUESS - 1}")
        if len(listed) > _MOST_TURNS:
            course.remark(node, _CUT_OFF)
        for word in listed[:_MOST_TURNS]:
            scope.variables[source(variable)] = word
            if scope.exports_all:
                scope.exported[source(variable)] = course.place(node).line
            if not self._turn(body):
                break
        return True

    def _counting(self, node: Node) -> Truth:
        """`for ((i = 0; i < n; i++))`"""
        course, arithmetic, body = self._course, self._course.words.arithmetic, node.child_by_field_name("body")
        if body is None:
            return True
        initial, condition, update = (
            [part for part in node.children_by_field_name(name) if part.is_named]
            for name in ("initializer", "condition", "update")
        )
        try:
            arithmetic.last(initial)
        except NotKnown:
            for part in initial:
                course.scope.variables[source(part.children[0])] = "0"
        for turn in range(_MOST_TURNS):
            try:
                if condition and not arithmetic.last(condition):
                    break
            except NotKnown:
                if turn == 0:
                    course.remark(node, f"how often this loop runs is not known: {GUESS} times")
                if turn == GUESS:
                    break
            if not self._turn(body):
                break
            try:
                arithmetic.last(update)
            except NotKnown:
                break
        else:
            course.remark(node, _CUT_OFF)
        return True

    def _while(self, node: Node) -> Truth:
        course, body = self._course, node.child_by_field_name("body")
        condition = [part for part in node.children_by_field_name("condition") if part.is_named]
        is_until = source(node.children[0]) == "until"
        for _ in range(_MOST_TURNS):
            truth = negated(course.run(condition)) if is_until else course.run(condition)
            if truth is None and body is not None and course.tried([body]).changes:
                course.remark(node, "whether this loop is entered is not known: it is not")
            if not truth or body is None or not self._turn(body):
                break
        else:
            course.remark(node, _CUT_OFF)
        return True

    def _turn(self, body: Node) -> bool:
        """One turn of a loop; whether it goes on."""
        try:
            self._course.statement(body)
        except Left as left:
            if left.word == "break":
                return False
            if left.word != "continue":
                raise
        return True
