"""What the text of `bash -c 'text'` would run, where nothing is known of the script around it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from launcher.writing.shell.reader import read_script
from launcher.writing.shell.record import Reading
from launcher.writing.shell.scope import Arguments, Scope

_NOWHERE: Final = "\ue002"
_HERE: Final = f"/{_NOWHERE}" * 9  # the folder in which it runs, and as many above as it may go up
_OF_MPI: Final = {  # what Open MPI calls these in each rank's environment
    "OMPI_COMM_WORLD_RANK": "{rank}",
    "OMPI_COMM_WORLD_LOCAL_RANK": "{local_rank}",
    "OMPI_COMM_WORLD_SIZE": "{world_size}",
}


@lru_cache(maxsize=64)
def read_shell_text(text: str, starts: Callable[[tuple[str, ...]], bool]) -> Reading:
    """All that the text would do; `starts` tells what starts a training. Raises SpecError for one that has no end."""
    return read_script(text, Scope(_HERE, Arguments("bash", ()), dict(_OF_MPI)), lambda _: None, starts)


def folder_from_here(cwd: str) -> str:
    """A folder of such a reading: relative, where it is below the one in which the text runs."""
    return posixpath.relpath(cwd, _HERE) if cwd.startswith(f"/{_NOWHERE}") else cwd


def relative_to_here(text: str) -> str:
    """A text of such a reading, without the folder that there is not."""
    return text.replace(_HERE, ".")
