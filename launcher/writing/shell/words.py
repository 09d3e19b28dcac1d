"""The words of a shell: quotes, variables and their many expansions, and where a text is split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from launcher.writing.shell.arithmetic import Arithmetic, NotKnown
from launcher.writing.shell.budget import Budget
from launcher.writing.shell.marks import is_known, unknown
from launcher.writing.shell.parsing import source
from launcher.writing.shell.patterns import replaced, trimmed
from launcher.writing.shell.pieces import (
    MOST_WORDS,
    Piece,
    bare,
    escaped_text,
    named,
    quoted_text,
    ranged,
    several,
    sum_in,
)
from launcher.writing.shell.scope import Scope

if TYPE_CHECKING:
    from tree_sitter import Node

_BLANKS: Final = re.compile(r"[ \t\n]+")


class Words:
    """Expands words in a scope; `substitute` gives the text of a `$(...)`, `remark` is told what is cut off.

    With `unset_is_empty`, as in a condition, a variable that the script has not set is taken to be absent from the
    environment too; anywhere else its value is not known.
    """

    def __init__(self, scope: Scope, substitute: Callable[[Node], str], remark: Callable[[Node, str], None]) -> None:
        self.scope = scope
        self.unset_is_empty = False
        self._substitute = substitute
        self._remark = remark
        self._budget = Budget()
        self.arithmetic = Arithmetic(get=self._number_of, put=self._put, expand=self.text)

    def text(self, node: Node) -> str:
        """The word as one text: the value of an assignment, a pattern, what is in quotes."""
        return "".join(" " if piece is None else piece[0] for piece in self._of_word(node))

    def words(self, node: Node) -> list[str]:
        """The arguments that a word of a command becomes: none, one or several."""
        found: list[str] = []
        current: str | None = None
        for piece in (*self._of_word(node), None):
            if piece is None:
                found += [] if current is None else [current]
                current = None
                continue
            text, is_quoted = piece
            for position, part in enumerate([text] if is_quoted else _BLANKS.split(text)):
                if position and current is not None:
                    found.append(current)
                    current = None
                if part or is_quoted:
                    current = (current or "") + part
        return found

    def look_up(self, name: str) -> str:
        """The value of a variable, of an array its first."""
        value = self.scope.variables.get(name)
        if value is None:
            return "" if self.unset_is_empty else unknown(name)
        return value if isinstance(value, str) else next(iter(value), "")

    def _of_word(self, node: Node) -> Iterator[Piece]:
        return self._budget.measured(self._pieces(node, False), node)

    def _pieces(self, node: Node, quoted: bool) -> Iterator[Piece]:
        kind = node.type
        if kind in ("string", "translated_string"):
            yield from self._string(node if kind == "string" else node.named_children[0])
        elif kind == "raw_string":
            yield source(node)[1:-1], True
        elif kind == "ansi_c_string":
            yield escaped_text(source(node)[2:-1]), True
        elif kind in ("concatenation", "command_name", "array"):
            for position, child in enumerate(node.named_children):
                if kind == "array" and position:
                    yield None
                yield from self._pieces(child, quoted)
        elif kind == "simple_expansion":
            text = source(node).lstrip()  # the grammar counts a blank before a second one within quotes to it
            yield source(node)[: -len(text)], quoted
            yield from self._parameter(text[1:], quoted)
        elif kind == "expansion":
            yield from self._expansion(node, quoted)
        elif kind == "command_substitution":
            sum_ = sum_in(node)
            yield (self._substitute(node).rstrip("\n"), quoted) if sum_ is None else (self._reckoned(sum_), True)
        elif kind == "arithmetic_expansion":
            yield self._reckoned(node), True
        elif kind == "brace_expression":
            yield from self._range(node)
        elif kind == "process_substitution":
            yield unknown("process"), True
        else:
            yield bare(source(node)), True

    def _range(self, node: Node) -> Iterator[Piece]:
        """`{0..7}`"""
        numbers = ranged(source(node))
        if numbers is None:
            yield source(node), True
            return
        if numbers[MOST_WORDS:]:
            self._remark(node, f"is cut off after {MOST_WORDS}")
        yield from several(tuple(map(str, numbers[:MOST_WORDS])), True)

    def _string(self, node: Node) -> Iterator[Piece]:
        """What is in double quotes; the texts between expansions are taken as they stand in the source."""
        text, start = node.text or b"", node.start_byte
        end = 1
        yield "", True
        expansions = [child for child in node.named_children if child.type not in ("string_content", "comment")]
        for child in expansions:
            yield quoted_text(text[end : child.start_byte - start]), True
            yield from self._pieces(child, True)
            end = child.end_byte - start
        yield quoted_text(text[end:-1]), True

    def _parameter(self, name: str, quoted: bool) -> Iterator[Piece]:
        if name in ("@", "*"):
            yield from several(self.scope.arguments.given or (), quoted and name == "@")
        else:
            yield self._special(name), quoted

    def _special(self, name: str) -> str:
        arguments = self.scope.arguments
        if name.isdigit():
            given = arguments.zero if name == "0" else arguments.get(int(name))
            return given or ""
        if name == "#":
            return str(len(arguments.given or ()))
        if name == "PWD":
            return self.scope.cwd
        if name == "BASH_SOURCE":
            return arguments.zero
        return "0" if name == "?" else "1" if name in "$!" else self.look_up(name)

    def _is_set(self, name: str, *, though_empty: bool) -> bool:
        """Whether something is there for `-` to give way to: an argument that nobody has named is not."""
        arguments = self.scope.arguments
        if name.isdigit() and name != "0":
            value = arguments.get(int(name)) if arguments.given is not None else None
        else:
            held = self.scope.variables.get(name)
            value = self._special(name) if held is not None or name in ("0", "#", "PWD", "BASH_SOURCE") else None
        return value is not None if though_empty else bool(value)

    def _expansion(self, node: Node, quoted: bool) -> Iterator[Piece]:
        """`${...}`"""
        inner = node.children[1:-1]
        prefix = source(inner.pop(0)) if inner and not inner[0].is_named and inner[0].type in "#!" else ""
        if not inner:
            yield self._special(prefix or "#"), quoted
            return
        subject, rest = inner[0], inner[1:]
        name, index = named(subject)
        if index in ("@", "*") or name in ("@", "*"):
            held = self.scope.variables.get(name, ())
            items = (held,) if isinstance(held, str) else held
            items = (self.scope.arguments.given or ()) if name in ("@", "*") else items
            if prefix == "#":
                yield str(len(items)), True
            else:
                yield from several(self._sliced(items, rest, 0 if index else 1), quoted and "@" in (index, name))
            return
        if index is not None:
            yield self._element(name, subject), quoted
            return
        if prefix == "!":
            yield self.look_up(self.look_up(name)), quoted
        elif prefix == "#":
            value = self._special(name)
            yield str(len(value)) if is_known(value) else unknown(name), quoted
        elif not rest:
            yield self._special(name), quoted
        else:
            yield from self._operated(name, source(rest[0]), rest[1:], quoted)

    def _operated(self, name: str, sign: str, rest: list[Node], quoted: bool) -> Iterator[Piece]:
        if sign.lstrip(":") in ("-", "=", "+", "?"):
            is_set, wants_set = self._is_set(name, though_empty=not sign.startswith(":")), sign.endswith("+")
            if is_set != wants_set and not (sign.endswith("?") and not is_set):
                yield self._special(name) if is_set else "", quoted
                return
            if sign.endswith("?"):
                yield self._special(name), quoted
                return
            for node in rest:
                yield from self._pieces(node, quoted)
            if sign.endswith("=") and rest:
                self.scope.variables[name] = "".join(map(self.text, rest))
            return
        value = self._special(name)
        parts = [self.text(node) for node in rest if node.is_named and source(node) != sign]
        if sign in ("#", "##", "%", "%%"):
            yield trimmed(value, sign, "".join(parts)), quoted
        elif sign in ("/", "//"):
            by = parts[1] if len(parts) > 1 else ""
            self._budget.refuse_product(value, by, rest[0])
            yield replaced(value, sign, parts[0] if parts else "", by), quoted
        elif sign == ":":
            numbers = [self._index(node) for node in rest if node.is_named]
            start = numbers[0] if numbers else 0
            yield value[start:][: numbers[1]] if len(numbers) > 1 else value[start:], quoted
        elif sign in (",,", "^^"):
            yield value.lower() if sign == ",," else value.upper(), quoted
        else:
            yield unknown(name), quoted

    def _sliced(self, items: tuple[str, ...], rest: list[Node], first: int) -> tuple[str, ...]:
        numbers = [self._index(node) for node in rest if node.is_named]
        if not numbers:
            return items
        start = max(numbers[0] - first, 0)
        return items[start : start + numbers[1]] if len(numbers) > 1 else items[start:]

    def _element(self, name: str, subject: Node) -> str:
        held = self.scope.variables.get(name, ())
        items = (held,) if isinstance(held, str) else held
        index = subject.child_by_field_name("index")
        number = self._index(index) if index is not None else 0
        return items[number] if -len(items) <= number < len(items) else ""

    def _index(self, node: Node) -> int:
        try:
            return self.arithmetic.number(node)
        except NotKnown:
            return 0

    def _reckoned(self, node: Node) -> str:
        try:
            return str(self.arithmetic.last(node.named_children))
        except NotKnown:
            return unknown("number")

    def _number_of(self, name: str) -> str:
        value = self.scope.variables.get(name, "")
        return value if isinstance(value, str) else next(iter(value), "")

    def _put(self, name: str, value: str) -> None:
        self.scope.variables[name] = value
