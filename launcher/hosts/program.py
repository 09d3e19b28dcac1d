"""Whether what a recipe wants to run can be run here: told before a run starts, and not by its ranks."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from launcher.errors import PreflightError, SpecError
from launcher.specs import Cluster, Framework, Recipe


def check_program(recipe: Recipe) -> None:
    """Refuse a script that is not there, and one that no kernel would execute. Raises SpecError."""
    where = str(recipe.source or "recipe")
    script = recipe.script_path
    if not script.is_file():
        raise SpecError(
            f"script {'is no file' if script.exists() else 'is not there'}: {script}",
            where=where,
            expected="a file, relative to the recipe",
        )
    if not recipe.runs_python:
        _check_executable(script, where)
    elif recipe.python_command is not None and shutil.which(recipe.python_command) is None:
        raise SpecError(
            f"python is {recipe.python_command}, which is no program here",
            where=where,
            expected="a Python interpreter: a name on PATH, or a path",
        )


def check_framework(recipe: Recipe, cluster: Cluster) -> None:
    """Refuse a framework that is not installed beside npu-launch, as far as can be told without importing it.

    Of another Python, and with a PYTHONPATH of the recipe, that cannot be told. Raises PreflightError.
    """
    module = {Framework.MINDSPORE: "mindspore", Framework.PYTORCH: "torch"}.get(recipe.framework)
    is_elsewhere = recipe.python is not None or "PYTHONPATH" in recipe.env or all(host.python for host in cluster.hosts)
    if module is None or is_elsewhere or importlib.util.find_spec(module) is not None:
        return
    extra = "pip install 'npu-launch[mindspore]'" if module == "mindspore" else "pip install torch"
    raise PreflightError(
        f"{module} is not installed beside npu-launch",
        where=str(recipe.source or "recipe"),
        expected=f"framework: {recipe.framework.value} needs it",
        remedy=f"{extra}, or name another interpreter in the recipe (python: /path/to/python)",
    )


def _check_executable(script: Path, where: str) -> None:
    with script.open("rb") as file:
        first = file.readline(4096)
    if not os.access(script, os.X_OK):
        raise SpecError(f"script is not executable: {script}", where=where, remedy=f"chmod +x {script}")
    if first.startswith(b"\x7fELF"):
        return
    if not first.startswith(b"#!"):
        raise SpecError(
            f"script says no interpreter: {script}", where=where, expected="a first line such as #!/bin/bash"
        )
    if first.endswith(b"\r\n"):
        raise SpecError(f"script has Windows line ends: {script}", where=where, remedy=f"sed -i 's/\\r$//' {script}")
    interpreter = os.fsdecode(first[2:].split()[0]) if first[2:].split() else ""
    if shutil.which(interpreter) is None:
        raise SpecError(
            f"script wants the interpreter {interpreter!r}, which is no program here: {script}",
            where=where,
            expected="a first line such as #!/bin/bash",
        )
