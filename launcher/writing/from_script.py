"""From the text of a shell script to what it launches."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launcher.errors import SpecError
from launcher.specs import Framework
from launcher.writing.job import job_of
from launcher.writing.launch import Launch
from launcher.writing.shell.marks import placed, real
from launcher.writing.shell.reader import read_script
from launcher.writing.shell.scope import Arguments, Scope
from launcher.writing.starts import start_of

_FOLDERS_OF_SCRIPTS: Final = ("scripts", "script", "tools", "test", "shell")


@dataclass(frozen=True)
class Script:
    """A shell script: its absolute path, its text, and the arguments it is given, or None where nobody says."""

    path: str
    text: str
    given: tuple[str, ...] | None = None


def launch_of(
    script: Script, name: str, read: Callable[[str], str | None], framework: Framework | None = None
) -> Launch:
    """What a script launches; `read` gives the text of a file, or None.

    Whether people run it in its own folder or in the one above (`bash scripts/train.sh`) is told by where the training
    script is found; where both lead to it, by the folder's name. Raises SpecError for a script that starts nothing
    known, or has no end.
    """
    if "\0" in script.text:
        raise SpecError("holds a NUL character", where=script.path, expected="a shell script")
    own = posixpath.dirname(script.path)
    read_from = [_in(script, folder, name, read, framework) for folder in (own, posixpath.dirname(own))]
    found = [launch for launch in read_from if read(real(launch.script)) is not None]
    if len(found) == len(read_from) and posixpath.basename(own) in _FOLDERS_OF_SCRIPTS:
        return found[1]
    return (found or read_from)[0]


def _in(script: Script, cwd: str, name: str, read: Callable[[str], str | None], framework: Framework | None) -> Launch:
    scope = Scope(placed(cwd), Arguments(placed(script.path), script.given))
    try:
        reading = read_script(script.text, scope, read, lambda argv: start_of(argv) is not None)
        return job_of(reading, script.text, name, read, framework)
    except SpecError as error:
        where = ", ".join(filter(None, (script.path, error.where)))
        raise SpecError(error.what, where=where, expected=error.expected, remedy=error.remedy) from None
