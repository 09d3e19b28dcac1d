"""A shell script as a syntax tree.

tree-sitter-bash knows all of bash: loops of the C style, arithmetic, `[[`, arrays, here documents. It has wheels for
x86-64 and aarch64, is under the MIT licence, and gives a tree with the place of the error for a script that is damaged.
bashlex, which is pure Python, was weighed: it knows no arithmetic loops, is under the GPL, and rests since 2023.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_name(text: str) -> bool:
    """Whether it can be a variable's; in a damaged script the tree takes other words for one."""
    return _NAME.fullmatch(text) is not None


def parse(text: str) -> Node:
    """The tree of a script; what is no shell is in nodes of type ERROR."""
    return _parser().parse(text.encode("utf-8", "surrogateescape")).root_node


def source(node: Node) -> str:
    """What a node was read from."""
    return (node.text or b"").decode("utf-8", "surrogateescape")


def statements(node: Node) -> list[Node]:
    """What is in a block, in order: commands, without words such as `do`."""
    return [child for child in node.named_children if child.type != "comment"]


def holds(node: Node, kind: str, text: str) -> bool:
    """Whether a node of this type and text is in the tree below."""
    return (node.type == kind and source(node) == text) or any(holds(child, kind, text) for child in node.children)


def takes_all_arguments(node: Node) -> bool:
    """Whether `$@` or `$*` is in the tree below."""
    return any(holds(node, "special_variable_name", name) for name in "@*")


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))
