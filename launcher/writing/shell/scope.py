"""What a shell knows at a point of its script."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from launcher.writing.shell.marks import unknown

if TYPE_CHECKING:
    from tree_sitter import Node

Value = str | tuple[str, ...]


@dataclass(frozen=True)
class Arguments:
    """`$0`, and `$1` onwards; `given` is None for a script of which nobody has said what it is given."""

    zero: str
    given: tuple[str, ...] | None = None
    shifted: int = 0

    def get(self, number: int) -> str | None:
        """Argument `number`, from 1; None when it is not given."""
        if self.given is None:
            return unknown(f"arg{number + self.shifted}")
        return self.given[number - 1] if 1 <= number <= len(self.given) else None

    def shift(self, by: int) -> Arguments:
        """The same without the first ones."""
        rest = None if self.given is None else self.given[by:]
        return Arguments(self.zero, rest, self.shifted + by)

    def counted(self, count: int) -> Arguments:
        """The same, knowing how many there are."""
        return Arguments(self.zero, tuple(unknown(f"arg{n + self.shifted}") for n in range(1, count + 1)))


@dataclass
class Scope:
    """Variables, functions, arguments, and the working folder.

    `exported` has the line of each export; with `exports_all` each variable that is set is exported (`set -a`).
    """

    cwd: str
    arguments: Arguments
    variables: dict[str, Value] = field(default_factory=dict)
    exported: dict[str, int] = field(default_factory=dict)
    functions: dict[str, Node] = field(default_factory=dict)
    exports_all: bool = False

    def copy(self) -> Scope:
        return replace(
            self, variables=dict(self.variables), exported=dict(self.exported), functions=dict(self.functions)
        )

    def become(self, other: Scope) -> None:
        """Go on as another: a branch that was tried is forgotten, a subshell has ended."""
        self.__dict__.update(other.copy().__dict__)

    def environment(self) -> dict[str, str]:
        """What a program that is started here gets of what the script has set."""
        values = {name: self.variables.get(name) for name in self.exported}
        return {name: value for name, value in values.items() if isinstance(value, str)}
