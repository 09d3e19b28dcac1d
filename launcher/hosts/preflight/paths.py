"""Whether script, Python and data are where the recipe says, on every host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import PathKind
from launcher.hosts.this_machine import is_this_machine
from launcher.specs import Cluster, Framework, Host, Recipe

_OWN_PYTHON: Final = "npu-launch's own Python"
_WORDS: Final = {
    PathKind.MISSING: "is not there",
    PathKind.UNREADABLE: "cannot be read by the user",
    PathKind.FOLDER: "is a folder",
}


def python_of(recipe: Recipe, host: Host) -> str:
    """The interpreter of ranks on a host: the recipe's, else the host's, else the one that runs npu-launch."""
    return str(recipe.python_command or host.python or sys.executable)


def paths_to_ask(recipe: Recipe | None, cluster: Cluster) -> tuple[str, ...]:
    """The paths that hosts have to be asked about."""
    if recipe is None:
        return ()
    return tuple(dict.fromkeys(path for host in cluster.hosts for path, _ in _paths(recipe, host)))


def _is_here(host: Host) -> bool:
    """Whether ranks there have this machine's files; elsewhere code and environment come with the run."""
    return is_this_machine(host.address)


def check_paths(subject: Subject) -> Iterator[Finding]:
    """Paths that are missing on a host, or that the user may not read there."""
    if subject.recipe is None:
        return
    for host, report in subject.reported:
        for path, what in _paths(subject.recipe, host):
            kind = report.paths.get(path)
            if what == _OWN_PYTHON:
                if kind in _WORDS and subject.recipe.framework is not Framework.PLAIN:
                    yield _no_python(subject.recipe.framework, host)
            elif kind in _WORDS and not (kind is PathKind.FOLDER and what == "data"):
                others = [h.name for h, other in subject.reported if other.paths.get(path) not in (kind, None)]
                yield Finding(
                    Severity.REFUSE,
                    Check.PATHS,
                    f"{what}: {path} {_WORDS[kind]}",
                    f"{'a file or folder' if what == 'data' else 'a file'} that every host has under this path",
                    f"copy it there, or mount what {others[0]} has it on" if others else "mend the path in the recipe",
                    host.name,
                )


def _no_python(framework: Framework, host: Host) -> Finding:
    return Finding(
        Severity.REFUSE,
        Check.PATHS,
        "nothing says which Python has the framework",
        f"an interpreter that can import {framework.value}; what npu-launch brings to a host cannot",
        "name it in the cluster (python: /path/to/python, for all hosts or for one)",
        host.name,
    )


def _paths(recipe: Recipe, host: Host) -> Iterator[tuple[str, str]]:
    """Each path with what it is in the recipe. A command such as `python3` is looked up there, and is no path.

    The script is brought to other hosts, and so is a Python for those of which none is named.
    """
    if _is_here(host):
        yield str(recipe.script_path.absolute()), "script"
    if recipe.runs_python and "/" in (python := python_of(recipe, host)):
        is_named = recipe.python_command is not None or host.python is not None
        yield python, "python" if is_named or _is_here(host) else _OWN_PYTHON
    yield from ((str(path.absolute()), "data") for path in recipe.data_paths)
