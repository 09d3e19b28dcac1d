"""Writes recipes for `npu-launch new`, and says what was written and what comes next."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.cli.output import talk, tell, warn
from launcher.errors import SpecError, UsageError
from launcher.specs import Framework, Recipe, load_recipe
from launcher.specs.files import read_text

_LARGEST_SCRIPT = 1_000_000
_LARGEST_RECIPE = 10_000_000


@dataclass(frozen=True)
class Target:
    """The recipe to write: its file, and its name."""

    file: Path
    name: str

    @property
    def folder(self) -> Path:
        return self.file.absolute().parent


def target_of(text: str, *, force: bool) -> Target:
    """The file for a name that may have folders before it. Raises UsageError when it may not be written."""
    path = Path(text)
    file = path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml") if path.name else path
    if not path.name or path.name.startswith((".", "-")):
        raise UsageError(f"NAME is '{text}'", expected="a name such as my-model, with no . or - before it")
    if file.is_dir() or ((file.exists() or file.is_symlink()) and not force):
        raise UsageError("is there already", where=str(file), remedy="give another NAME, or --force to overwrite it")
    if not file.parent.is_dir():
        raise UsageError("is no folder", where=str(file.parent), expected="a NAME in a folder that is there")
    return Target(file, file.stem)


def of_template(target: Target, framework: Framework) -> int:
    """A recipe with comments, to be filled in."""
    from launcher.writing.template import template

    _write(target, template(target.name, framework))
    tell(f"wrote {target.file}: say there which script to run; then:\n  {_next(target)}")
    return 0


def of_recipe(target: Target, asked: str) -> int:
    """Another recipe under a new name: a shipped one with the folders that its script needs, a file as it is."""
    from launcher.writing.companions import copy_companions, refuse_misfits
    from launcher.writing.from_recipe import retouched
    from launcher.writing.shipped import find_recipe

    source, is_shipped = find_recipe(asked)
    recipe = load_recipe(source)
    home = source.absolute().parent
    text = read_text(source, kind="a recipe", most=_LARGEST_RECIPE)
    comes_along = is_shipped and not recipe.script.startswith(("/", "..", "~"))
    if comes_along and home != target.folder:
        refuse_misfits(home, recipe.script, target.folder)
    _write(target, retouched(text, recipe, target.name, target.folder, moves_script=not comes_along))
    tell(f"wrote {target.file}, from {source}")
    if comes_along and home != target.folder:
        copied = copy_companions(home, recipe.script, target.folder)
        if copied.new:
            tell(f"copied {', '.join(f'{name}/' for name in copied.new)} beside it: the scripts are yours to change")
        if copied.kept:
            tell(f"kept {', '.join(f'{name}/' for name in copied.kept)}, which was there already")
    talk(f"next:\n  {_next(target)}")
    return 0


def of_script(target: Target, script: Path, given: Sequence[str] | None, framework: Framework | None) -> int:
    """The recipe that does what a shell script does."""
    from launcher.writing.from_script import Script, launch_of
    from launcher.writing.recipe_text import open_points, recipe_text

    text = read_text(script, kind="a shell script", most=_LARGEST_SCRIPT)
    read = Script(str(script.absolute()), text, None if given is None else tuple(given))
    launch = launch_of(read, target.name, _text_of, framework)
    recipe = _write(target, recipe_text(launch, script.name, target.folder))
    tell(f"wrote {target.file}: {recipe.ranks} ranks of {recipe.script}, {recipe.framework.value}")
    open_lines = list(open_points(launch))
    if open_lines:
        warn("\n".join([f"not everything of {script} could be translated:", *(f"  {line}" for line in open_lines)]))
    for each in launch.fill_ins:
        warn(f"{target.file} has {each.text} to fill in: {each.what}")
    talk(f"next:\n  {_next(target)}")
    return 0


def _text_of(path: str) -> str | None:
    """The text of a file that a script names; None for one that cannot be read, or is a device or a pipe."""
    try:
        if not Path(path).is_file():
            return None
        return read_text(Path(path), kind="a script", most=_LARGEST_SCRIPT)
    except (SpecError, OSError, ValueError):
        return None


def _write(target: Target, text: str) -> Recipe:
    """Write a recipe that has been read back: nobody gets one that npu-launch would refuse."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / target.file.name
        draft.write_text(text, encoding="utf-8")
        recipe = load_recipe(draft)
    try:
        target.file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(error.strerror or str(error), where=str(target.file), expected="a file to write") from None
    return recipe


def _next(target: Target) -> str:
    return f"npu-launch plan {shlex.quote(str(target.file))}"
