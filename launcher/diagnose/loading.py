"""From rule files to a rulebook: those that come with npu-launch, and the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from launcher.diagnose import required
from launcher.diagnose.arithmetic import names
from launcher.diagnose.remembered import base_folder, recall, remember
from launcher.diagnose.rule import Rule, RuleFile
from launcher.diagnose.rulebook import Rulebook, merged
from launcher.diagnose.wanted import learn, learnt, wanted
from launcher.errors import SpecError
from launcher.specs import document
from launcher.specs.files import read_text
from launcher.specs.problems import spec_error

OURS: Final = Path(__file__).parent / "rules"
LARGEST: Final = 10_000_000

_SUFFIXES: Final = (".yaml", ".yml")
_FINDING_TEXTS: Final = (Path(required.__file__), required.EVERYDAY_FILE)  # what is kept depends on these too


def user_folder() -> Path:
    """Where a user's own rules lie: `npu-launch/rules.d` below XDG_CONFIG_HOME, which is ~/.config by default."""
    return base_folder("XDG_CONFIG_HOME", ".config") / "rules.d"


def rule_files(folder: Path) -> list[Path]:
    """The rule files of a folder in the order of their names; none where the folder cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    except OSError:
        return []


def rulebook() -> Rulebook:
    """All rules: ours, and the user's, of which one replaces ours of the same name. Raises SpecError."""
    return _loaded((*rule_files(OURS), *rule_files(user_folder())))


def load(paths: Sequence[Path]) -> Rulebook:
    """The rules of these files. Raises SpecError with `file:line:column` of what is wrong in one."""
    return merged(read_files(paths))


def read_files(paths: Sequence[Path]) -> list[RuleFile]:
    """What these files say, quickly where they were read before; then they do not know where in them a value is.

    Raises SpecError with `file:line:column` of what is wrong in one.
    """
    texts = {str(path): _text(path) for path in paths}
    known_by = {**texts, **{path.name: path.read_text(encoding="utf-8") for path in _FINDING_TEXTS}}
    said = recall(known_by)
    if said is not None:
        try:
            learn(said["texts"])
            return [RuleFile.model_validate(said["files"][name]) for name in texts]
        except (KeyError, ValidationError):  # kept by a version that knew other keys
            pass
    read = {name: document.parse(text, name) for name, text in texts.items()}
    files = [_validated(each) for each in read.values()]
    merged(files)  # what is wrong between files is told with its place, before anything is kept
    remember(known_by, {"files": {name: each.root for name, each in read.items()}, "texts": learnt()})
    return files


def read_file(path: Path) -> RuleFile:
    """One file, which knows where in it each value is. Raises SpecError with `file:line:column` of what is wrong."""
    return _validated(document.parse(_text(path), str(path)))


@lru_cache(maxsize=2)
def _loaded(paths: tuple[Path, ...]) -> Rulebook:
    return load(paths)


def _text(path: Path) -> str:
    return read_text(path, kind="a rule file", most=LARGEST, suffixes=_SUFFIXES)


def _validated(read: document.Document) -> RuleFile:
    try:
        file = RuleFile.model_validate(read.root).read_from(Path(read.name), read.values)
    except ValidationError as error:
        raise spec_error(RuleFile, read, error) from None
    for name, rule in file.rules.items():
        _check_expressions(file, name, rule)
    return file


def _check_expressions(file: RuleFile, name: str, rule: Rule) -> None:
    """Compile every expression once, and see that conditions speak of what is read out."""
    read_out = set[str]()
    for key in ("all", "any", "none", "near", "away"):
        for position, pattern in enumerate(getattr(rule, key)):
            try:
                read_out |= wanted(pattern).names()
            except ValueError as error:
                raise SpecError(f"{pattern} {error}", where=file.place("rules", name, key, position)) from None
    for position, condition in enumerate(rule.given):
        for unknown in sorted(names(condition) - read_out):
            raise SpecError(
                f"{condition} speaks of {unknown}, which no pattern of the rule reads out",
                where=file.place("rules", name, "given", position),
                expected=f"a named group such as (?P<{unknown}>[0-9]+)",
            )
