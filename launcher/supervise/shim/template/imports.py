"""What a script imports, found by reading it."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import os
import sys


class Imports:
    """The libraries that a script imports, in its order: `found` has the module and the names imported from it.

    Modules beside the script are read for their imports and never imported: what they do when they are imported is the
    rank's. What the script's own functions import counts, because `main` often imports late; what functions of other
    modules import may never be needed.
    """

    def __init__(self, script: str) -> None:
        """Raises OSError, SyntaxError or ValueError when the script itself cannot be read."""
        self.folder = os.path.dirname(os.path.realpath(script))
        self.found: dict[tuple[str, tuple[str, ...]], None] = {}
        self._seen: set[str] = set()
        self._walk(_parse(script), "", into_functions=True)

    def _walk(self, node: ast.AST, package: str, *, into_functions: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    self._add(alias.name, ())
            elif isinstance(child, ast.ImportFrom):
                self._add_from(child, package)
            elif isinstance(child, ast.If) and _is_type_checking(child.test):
                for other in child.orelse:
                    self._walk(ast.Module([other], []), package, into_functions=into_functions)
            elif into_functions or not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                self._walk(child, package, into_functions=into_functions)

    def _add_from(self, node: ast.ImportFrom, package: str) -> None:
        module = node.module or ""
        if node.level:
            parents = package.split(".")
            parents = parents[: len(parents) - node.level + 1]
            module = ".".join([*parents, module] if module else parents)
        if module and module != "__future__":
            self._add(module, tuple(alias.name for alias in node.names if alias.name != "*"))

    def _add(self, module: str, names: tuple[str, ...]) -> None:
        if not is_beside(self.folder, module.partition(".")[0]):
            self.found.setdefault((module, names))
            return
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            self._follow(".".join(parts[:end]))
        for name in names:
            self._follow(f"{module}.{name}")

    def _follow(self, module: str) -> None:
        """Look into a module beside the script, if there is one of that name in Python."""
        path = os.path.join(self.folder, *module.split("."))
        for file, package in ((os.path.join(path, "__init__.py"), module), (f"{path}.py", module.rpartition(".")[0])):
            if file in self._seen or not os.path.isfile(file):
                continue
            self._seen.add(file)
            try:
                tree = _parse(file)
            except (OSError, SyntaxError, ValueError):
                continue  # the rank will meet it, if it comes there
            self._walk(tree, package, into_functions=False)


def is_beside(folder: str, name: str) -> bool:
    """Whether `import NAME` finds something in the script's folder; a folder without __init__.py is found last."""
    if not searches_script_folder():
        return False
    path = os.path.join(folder, name)
    suffixes = importlib.machinery.all_suffixes()
    if any(os.path.isfile(start + suffix) for start in (path, os.path.join(path, "__init__")) for suffix in suffixes):
        return True
    return os.path.isdir(path) and name not in sys.modules and importlib.util.find_spec(name) is None


def searches_script_folder() -> bool:
    """Whether the script's folder comes first in `sys.path`: not with -I or -P."""
    return not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def _parse(file: str) -> ast.Module:
    with open(file, "rb") as source:
        return ast.parse(source.read())


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )
