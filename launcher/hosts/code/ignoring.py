"""What of a tree stays behind: .gitignore as git understands it, and .npulaunchignore."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

OWN_FILE: Final = ".npulaunchignore"
_GIT_FILE: Final = ".gitignore"


@dataclass(frozen=True)
class _Layer:
    """The patterns of one file, which speak of paths below its folder."""

    folder: str
    patterns: GitIgnoreSpec

    def verdict(self, path: str) -> bool | None:
        """Whether the path stays behind; None where no pattern speaks of it."""
        return self.patterns.check_file(path[len(self.folder) :]).include


@dataclass(frozen=True)
class Rules:
    """The patterns of a folder and of those above it, each stronger than those before it.

    What .npulaunchignore says anywhere is stronger than any .gitignore, so `!name` in it takes along what git ignores.
    Within a kind the deeper file is stronger, and in a file the later line (gitignore(5)).
    """

    git: tuple[_Layer, ...] = ()
    own: tuple[_Layer, ...] = ()

    def within(self, root: Path, folder: str) -> Rules:
        """The rules for what lies directly in a folder (relative to the root, "" or with a final /). Raises OSError."""
        git, own = (_read(root / folder / name, folder) for name in (_GIT_FILE, OWN_FILE))
        return Rules(self.git + git, self.own + own) if git or own else self

    def leave_behind(self, path: str, *, is_folder: bool) -> bool:
        """Whether a path stays behind; nobody asks for what lies in a folder that does."""
        asked = f"{path}/" if is_folder else path
        for layer in (*reversed(self.own), *reversed(self.git)):
            if (verdict := layer.verdict(asked)) is not None:
                return verdict
        return False


def _read(path: Path, folder: str) -> tuple[_Layer, ...]:
    """The layer of one file; none without a file of its own, for git follows no link here."""
    if path.is_symlink() or not path.is_file():
        return ()
    text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    patterns = [pattern for line in text.split("\n") if (pattern := _pattern(line.removesuffix("\r"))) is not None]
    return (_Layer(folder, GitIgnoreSpec(patterns, backend="simple")),) if patterns else ()  # re2 takes only UTF-8


def _pattern(line: str) -> GitIgnoreSpecPattern | None:
    """A line's pattern; a line that says nothing, or that git too would find senseless, has none."""
    try:
        pattern = GitIgnoreSpecPattern(line)
    except ValueError:
        return None
    return None if pattern.include is None else pattern
