"""Simple commands: those of the shell itself, functions, other scripts; all else is written down."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from launcher.errors import SpecError
from launcher.writing.shell.arithmetic import NotKnown, as_number
from launcher.writing.shell.conditions import Truth, tested
from launcher.writing.shell.course import QUIET, Course, Left
from launcher.writing.shell.marks import is_known, only_label, real, unknown
from launcher.writing.shell.parsing import is_name, parse, source, statements, takes_all_arguments
from launcher.writing.shell.scope import Arguments
from launcher.writing.shell.text_commands import joined, output_of

if TYPE_CHECKING:
    from tree_sitter import Node

SHELLS: Final = frozenset({"bash", "sh"})
_TO_NOBODY: Final = frozenset({"", "null", "stderr", "stdout", "tty"})


def text_for_shell(words: Sequence[str]) -> str | None:
    """The commands of `bash -c 'commands'`; None for any other command line."""
    if words and posixpath.basename(words[0]) in SHELLS:
        before = ""
        for option, word in pairwise(words[1:]):
            if option.startswith("-") and not option.startswith("--") and "c" in option:
                return word
            if not option.startswith("-") and before != "-o":
                break
            before = option
    return None


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
            **dict.fromkeys((":", "true", "shopt"), lambda _words, _node: True),
            "set": self._set,
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
        return self._other_script(words, node, own) or course.invoke(tuple(words), node, own, output)

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

    def _other_script(self, words: list[str], node: Node, own: Mapping[str, str]) -> Truth:
        """Go through a script, or a text, that this one has a shell run, when it can be read; False when it cannot."""
        if posixpath.basename(words[0]) not in SHELLS or len(words) < 2:
            return False
        course, scope = self._course, self._course.scope
        text = text_for_shell(words)
        if text is not None:
            zero, *given = words[words.index(text) + 1 :] or [words[0]]
        else:
            zero, given = joined(scope.cwd, words[1]), words[2:]
        content = text if text is not None else self._read(real(zero)) if is_known(zero) else None
        if content is None or only_label(content) is not None:
            return False
        before, place = scope.copy(), course.place(node)
        scope.arguments = Arguments(zero, tuple(given))
        scope.variables |= own
        scope.exported |= dict.fromkeys(own, place.line)
        with suppress(Left):
            if text is not None:
                course.text(text, place)
            else:
                course.run(statements(parse(content)))
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

    def _set(self, words: list[str], _: Node) -> Truth:
        """`set -a`, after which each variable that is set is exported; other options change nothing here."""
        for option, following in pairwise([*words[1:], ""]):
            if option in ("--", "-"):
                break
            if option[:1] in ("-", "+") and ("a" in option or ("o" in option and following == "allexport")):
                self._course.scope.exports_all = option.startswith("-")
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
