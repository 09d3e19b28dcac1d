"""Where one is in a script: what is known so far, what would have been run, and how to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from launcher.errors import SpecError
from launcher.writing.shell.arithmetic import NotKnown
from launcher.writing.shell.conditions import Conditions, Truth
from launcher.writing.shell.marks import unknown
from launcher.writing.shell.parsing import parse, source, statements
from launcher.writing.shell.record import Invocation, Place, Remark
from launcher.writing.shell.scope import Scope
from launcher.writing.shell.words import Words

if TYPE_CHECKING:
    from tree_sitter import Node

Statement = Callable[["Node"], Truth]

GUESS: Final = 8  # devices of a server: how often a loop runs whose end is not known
QUIET: Final = frozenset({"rm", "mkdir", "echo", "printf", "touch", "sleep", "cat", "wait"})
_MOST_STEPS: Final = 60_000  # statements


class Left(Exception):
    """A loop, a function or the script is left: by `break`, `continue`, `return` or `exit`."""

    def __init__(self, word: str) -> None:
        self.word = word


@dataclass(frozen=True)
class Tried:
    """What some statements would do: end the script, start a training, change anything that matters later."""

    exits: bool
    starts: bool
    changes: bool


class Course:
    """Goes from statement to statement.

    `starts` tells a command line that starts a training from all others; `handlers` has for each type of node what is
    done with it, and is filled by those who know.
    """

    def __init__(self, scope: Scope, starts: Callable[[tuple[str, ...]], bool]) -> None:
        self.scope = scope
        self.words = Words(scope, self._substitute, self.remark)
        self.conditions = Conditions(self.words)
        self.invocations: list[Invocation] = []
        self.remarks: list[Remark] = []
        self.names: dict[str, str] = {}
        self.printed: list[str] | None = None
        self.handlers: dict[str, Statement] = {}
        self._starts = starts
        self._within: Place | None = None
        self._steps = 0

    def run(self, nodes: list[Node]) -> Truth:
        """Go through statements in order; whether the last succeeds."""
        truth: Truth = True
        for node in nodes:
            truth = self.statement(node)
        return truth

    def statement(self, node: Node) -> Truth:
        """Go through one statement. Raises Left, and SpecError when there is no end of them."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise SpecError("goes on and on: no end of it was found", where=f"line {self.place(node).line}")
        handler = self.handlers.get(node.type)
        if handler is not None:
            return handler(node)
        if node.type != "comment":
            self.remark(node, "is no shell that npu-launch understands")
        return True

    def text(self, text: str, within: Place) -> Truth:
        """Go through a text of commands as if it stood there."""
        outer, self._within = self._within, within
        try:
            return self.run(statements(parse(text)))
        finally:
            self._within = outer

    def place(self, node: Node) -> Place:
        """Where a statement stands, with its first line."""
        first, *more = source(node).replace("\\\n", " ").split("\n")
        return self._within or Place(node.start_point[0] + 1, " ".join(first.split()) + (" ..." if more else ""))

    def remark(self, node: Node, what: str) -> None:
        """Write down what could not be followed."""
        self.remarks.append(Remark(self.place(node), what))

    def invoke(
        self, argv: tuple[str, ...], node: Node, own: Mapping[str, str] | None = None, output: str = ""
    ) -> Truth:
        """Write down a command, with its `own` variables and the file of its output."""
        place = self.place(node)
        exports = {**self.scope.exported, **dict.fromkeys(own or {}, place.line)}
        env = {**self.scope.environment(), **(own or {})}
        self.invocations.append(Invocation(place, argv, env, exports, self.scope.cwd, output))
        return True

    @property
    def has_started(self) -> bool:
        """Whether a training would be running by now."""
        return any(self._starts(each.argv) for each in self.invocations)

    def tried(self, nodes: list[Node]) -> Tried:
        """What these statements would do, of which nothing stays."""
        before, invocations, remarks = self.scope.copy(), len(self.invocations), len(self.remarks)
        names, printed = dict(self.names), None if self.printed is None else list(self.printed)
        exits = False
        try:
            self.run(nodes)
        except Left as left:
            exits = left.word in ("exit", "return")
        finally:
            made, changed = self.invocations[invocations:], before != self.scope
            said = len(self.remarks) > remarks
            del self.invocations[invocations:], self.remarks[remarks:]
            self.scope.become(before)
            self.names, self.printed = names, printed
        is_loud = any(each.argv[0] not in QUIET or each.output for each in made)
        return Tried(exits, any(self._starts(each.argv) for each in made), changed or said or is_loud)

    def _substitute(self, node: Node) -> str:
        """What `$(...)` stands for."""
        before, outer = self.scope.copy(), self.printed
        self.printed = []
        try:
            parts = statements(node)
            if any(part.type == "pipeline" for part in parts):
                raise NotKnown
            self.run(parts)
            return "\n".join(self.printed)
        except Left:
            return "\n".join(self.printed)
        except NotKnown:
            return unknown(f"output{self.place(node).line}")
        finally:
            self.printed = outer
            self.scope.become(before)
