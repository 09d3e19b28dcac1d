"""Goes through a script as a shell would, with its variables and loops, and writes down what it would run.

Nothing is run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from launcher.errors import SpecError
from launcher.writing.shell.branching import Branching
from launcher.writing.shell.commands import Commands
from launcher.writing.shell.conditions import Truth
from launcher.writing.shell.course import Course, Left
from launcher.writing.shell.loops import Loops
from launcher.writing.shell.parsing import parse, source, statements
from launcher.writing.shell.record import Reading
from launcher.writing.shell.scope import Scope
from launcher.writing.shell.variables import Variables

if TYPE_CHECKING:
    from tree_sitter import Node


def read_script(
    text: str, scope: Scope, read: Callable[[str], str | None], starts: Callable[[tuple[str, ...]], bool]
) -> Reading:
    """All that a script would do in a scope.

    `read` gives the text of a file, or None; `starts` tells a command line that starts a training from all others.
    Raises SpecError for a script that has no end.
    """
    course = Course(scope, starts)
    Branching(course)
    Loops(course)
    Variables(course)
    Commands(course, read)
    course.handlers |= {
        **dict.fromkeys(("pipeline", "do_group"), lambda node: course.run(statements(node))),
        "compound_statement": lambda node: _compound(course, node),
        "subshell": lambda node: _subshell(course, node),
    }
    try:
        with suppress(Left):
            course.run(statements(parse(text)))
    except RecursionError:
        raise SpecError("is nested too deep to be read") from None
    return Reading(tuple(course.invocations), tuple(dict.fromkeys(course.remarks)), course.names)


def _compound(course: Course, node: Node) -> Truth:
    """`{ ...; }`, or `((...))`"""
    is_block = source(node.children[0]) != "(("
    return course.run(statements(node)) if is_block else course.conditions.holds(node)


def _subshell(course: Course, node: Node) -> Truth:
    before = course.scope.copy()
    try:
        return course.run(statements(node))
    except Left as left:
        return left.word == "exit"
    finally:
        course.scope.become(before)
