"""A gang on several hosts starts in two steps: every host says that it could, and then all are told to."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Any

from launcher.supervise.shim.plans import has_elsewhere
from launcher.supervise.shim.processes import make_folders

_LOG = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Barrier:
    """What holds the processes of a plan back on this host until all its hosts are ready.

    It remembers the last attempt that may start, so that nothing depends on when the word comes: a shim that took the
    place of another hears it before it is ready itself.
    """

    def __init__(self) -> None:
        self._released = 0  # the last attempt that may start
        self._attempt = 0
        self.is_needed = False  # by the plan that was taken last
        self.is_reached = False  # this host has said that it is ready

    def take(self, plan: Mapping[str, Any]) -> None:
        """A new plan is to be started."""
        self._attempt = int(plan["attempt"])
        self.is_needed = bool(plan["gang"]) and has_elsewhere(plan)
        self.is_reached = False

    def release(self, attempt: int) -> None:
        """All hosts of this attempt are ready."""
        self._released = max(self._released, attempt)

    @property
    def is_open(self) -> bool:
        """Whether the plan's processes may start."""
        return not self.is_needed or self._released == self._attempt


def obstacle(process: Mapping[str, Any], environment: Mapping[str, str], own: str) -> str | None:
    """Why a process cannot be started, in the words of a start that fails, as far as it shows without starting it.

    Its folders below `own` and its log are made.
    """
    try:
        make_folders(process, own)
        os.close(os.open(process["log"], _LOG, 0o600))
    except OSError as error:
        return f"cannot start: {error}"
    program, cwd = process["argv"][0], process["cwd"]
    try:
        os.stat(os.path.join(cwd, "."))  # a folder, and one that may be entered
        _find(program, cwd, environment)
    except OSError as error:
        return f"cannot execute {program!r} in {cwd!r}: {error.strerror}"
    return None


def _find(program: str, cwd: str, environment: Mapping[str, str]) -> None:
    """Look for a program as execvp(3) does. Raises OSError when there is none, or it may not be executed."""
    folders = [""] if "/" in program else os.get_exec_path(environment)
    found = [path for path in (os.path.join(cwd, folder, program) for folder in folders) if os.path.isfile(path)]
    if not any(os.access(path, os.X_OK) for path in found):
        code = errno.EACCES if found else errno.ENOENT
        raise OSError(code, os.strerror(code))
