"""Simple commands: those of the shell itself, functions, other scripts; all else is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from launcher.errors import SpecError
from launcher.writing.shell.arithmetic import NotKnown, as_number
from launcher.writing.shell.conditions import Truth, tested
from launcher.writing.shell.course import QUIET, Course, Left
from launcher.writing.shell.marks import is_known, real, unknown
from launcher.writing.shell.parsing import is_name, parse, source, statements, takes_all_arguments
from launcher.writing.shell.scope import Arguments
from launcher.writing.shell.text_commands import joined, output_of

if TYPE_CHECKING:
    from tree_sitter import Node

_SHELLS: Final = frozenset({"bash", "sh"})
_TO_NOBODY: Final = frozenset({"", "null", "stderr", "stdout", "tty"})


class Commands:
    """Knows commands; `read` gives the text of a file, or None."""

    def __init__(self, course: Course, read: Callable[[str], str | None]) -> None:
        self._course = course
        self._read = read
        course.handlers |= {
            "command": self._command,
            "redirected_statement": self._redirected,
            "function_definition": self._define,
        }
        self._builtins: Mapping[str, Callable[[list[str], Node], Truth]] = {
            **dict.fromkeys(("cd", "pushd"), self._cd),
            "popd": lambda _, node: self._cd(["cd", "-"], node),
            "shift": self._shift,
            **dict.fromkeys(("source", "."), self._source),
            "eval": lambda words, node: course.text(" ".join(words[1:]), course.place(node)),
            "let": lambda words, node: course.text("; ".join(f"(({word}))" for word in words[1:]), course.place(node)),
            "test": lambda words, _: tested(words[1:]),
            "false": lambda _words, _node: False,
            **dict.fromkeys(("getopts", "read"), self._ask),
            **dict.fromkeys((":", "true", "set", "shopt"), lambda _words, _node: True),
            **dict.fromkeys(("exit", "return", "break", "continue"), self._leave),
        }

    def _redirected(self, node: Node) -> Truth:
        body = node.child_by_field_name("body")
        output = ""
        for redirect in node.children_by_field_name("redirect"):
            target = redirect.child_by_field_name("destination")
            if target is not None and target.type != "number" and any(">" in child.type for child in redirect.children):
                output = output or self._course.words.text(target)
        if body is None:
            return self._course.invoke((":",), node, output=output)
        return self._command(body, output) if body.type == "command" else self._course.statement(body)

    def _command(self, node: Node, output: str = "") -> Truth:
        course, scope = self._course, self._course.scope
        own = {
            source(child.children[0]): course.words.text(child.children[-1])
            for child in node.named_children
            if child.type == "variable_assignment" and len(child.children) == 3 and is_name(source(child.children[0]))
        }
        name = node.child_by_field_name("name")
        parts = [*([name] if name is not None else []), *node.children_by_field_name("argument")]
        words = [word for part in parts for word in course.words.words(part)]
        if not words:
            return True
        if scope.arguments.given is None and words[0] not in QUIET and any(map(takes_all_arguments, parts)):
            course.remark(node, "passes on the script's own arguments, of which none is given (--arg gives them)")
        if words[0] in scope.functions:
            return self._call(words)
        builtin = self._builtins.get(words[0])
        if builtin is not None:
            return builtin(words, node)
        if course.printed is not None:
            course.printed.append(output_of(tuple(words), scope.cwd))
            return True
        if words[0] in ("echo", "printf") and output.removeprefix("/dev/") in _TO_NOBODY:
            return True
        return self._other_script(words) or course.invoke(tuple(words), node, own, output)

    def _define(self, node: Node) -> Truth:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is not None and body is not None:
            self._course.scope.functions[source(name)] = body
        return True

    def _call(self, words: list[str]) -> Truth:
        scope = self._course.scope
        outer = scope.arguments
        scope.arguments = Arguments(outer.zero, tuple(words[1:]))
        try:
            return self._course.statement(scope.functions[words[0]])
        except Left as left:
            if left.word != "return":
                raise
            return True
        except RecursionError:
            raise SpecError(f"function {words[0]} calls itself without end") from None
        finally:
            scope.arguments = outer

    def _other_script(self, words: list[str]) -> Truth:
        """Go through a script that this one runs, when it can be read; False when it cannot."""
        if words[0] not in _SHELLS or len(words) < 2 or words[1].startswith("-"):
            return False
        scope, path = self._course.scope, joined(self._course.scope.cwd, words[1])
        text = self._read(real(path)) if is_known(path) else None
        if text is None:
            return False
        before = scope.copy()
        scope.arguments = Arguments(path, tuple(words[2:]))
        with suppress(Left):
            self._course.run(statements(parse(text)))
        scope.become(before)
        return True

    def _source(self, words: list[str], node: Node) -> Truth:
        course = self._course
        path = joined(course.scope.cwd, words[1]) if len(words) > 1 else ""
        text = self._read(real(path)) if path and is_known(path) else None
        if text is None:
            return course.invoke(tuple(words), node)
        place = course.place(node)
        return course.text(text, replace(place, source=f"{place.source} (read as well)"))

    def _cd(self, words: list[str], _: Node) -> Truth:
        scope = self._course.scope
        operands = [word for word in words[1:] if word == "-" or not word.startswith("-")]
        target = operands[0] if operands else unknown("HOME")
        if target == "-":
            target = self._course.words.look_up("OLDPWD")
        scope.variables["OLDPWD"] = scope.cwd
        scope.cwd = joined(scope.cwd, target)
        return True

    def _shift(self, words: list[str], _: Node) -> Truth:
        scope = self._course.scope
        with suppress(NotKnown):
            scope.arguments = scope.arguments.shift(max(0, as_number(words[1])) if len(words) > 1 else 1)
        return True

    def _ask(self, words: list[str], node: Node) -> Truth:
        """What is read from options or from somebody is not known, nor whether there is any."""
        self._course.invoke(tuple(words), node)
        return None

    def _leave(self, words: list[str], _: Node) -> Truth:
        raise Left(words[0])
