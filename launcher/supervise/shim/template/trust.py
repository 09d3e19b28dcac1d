"""What may not be in a process from which ranks are forked.

Which threads are harmless: those that end before a fork. With OMP_NUM_THREADS=1, importing numpy 1.26, mindspore 2.10
or torch 2.13 leaves no thread but the main one. Without it, OpenBLAS keeps a pool (one idle thread less than there are
cores), and ends it in a pthread_atfork(3) handler before every fork; it starts again with the next product of matrices,
on either side. So threads are looked at just after a fork: what is left then does not know of forks, and would be
missing in a rank.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Container

from .imports import is_beside

_THREADS_MAY_LINGER = 0.2  # seconds that a joined thread may still be listed in /proc
_HARMLESS_FILES = frozenset(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))


class RefusedError(Exception):
    """Ranks forked from this process could differ from started ones; the message says why."""


def check_trust(folder: str, files_at_start: Container[int]) -> None:
    """Raise RefusedError when there is anything in this process that a fork would lose, or ranks would share.

    Also when a module beside the script, in `folder`, would be hidden by one of its name that this process has loaded.
    """
    check_no_children()
    check_threads()
    check_files(files_at_start)
    check_mappings()
    check_names(folder)


def check_no_children() -> None:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise RefusedError("an imported library has started a process, which would not be the rank's own")


def check_threads() -> None:
    """Raise RefusedError when threads are left after a fork, see above."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + _THREADS_MAY_LINGER
    while (others := set(os.listdir("/proc/self/task")) - {str(os.getpid())}) and time.monotonic() < deadline:
        time.sleep(0.002)
    if others:
        names = ", ".join(sorted(_thread_name(thread) for thread in others))
        raise RefusedError(f"an imported library runs threads, which a fork would lose: {names}")


def _thread_name(thread: str) -> str:
    """Python's name for it, or the kernel's."""
    threading = sys.modules.get("threading")
    for known in threading.enumerate() if threading else ():
        if str(known.native_id) == thread:
            return str(known.name)
    try:
        with open(f"/proc/self/task/{thread}/comm") as file:
            return file.read().strip()
    except OSError:
        return f"thread {thread}"


def check_files(at_start: Container[int]) -> None:
    """Raise RefusedError for a file, device or socket that imports have opened: ranks would share it."""
    for fd, target in open_files().items():
        if fd not in at_start and target not in _HARMLESS_FILES:
            raise RefusedError(f"an imported library keeps {target} open, which ranks would share")


def open_files() -> dict[int, str]:
    """What each open descriptor leads to."""
    found = {}
    for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the listing's own
    return found


def check_mappings() -> None:
    """Raise RefusedError for a device that is mapped, or memory that ranks would share and can write."""
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split(maxsplit=5)
            path = fields[5].strip() if len(fields) > 5 else ""
            if "s" in fields[1] and ("w" in fields[1] or path.startswith("/dev/")):
                raise RefusedError(f"an imported library has mapped {path or 'memory'}, which ranks would share")


def check_names(folder: str) -> None:
    """Raise RefusedError when a rank would get a loaded module instead of the one of that name beside the script."""
    for name in sorted({module.partition(".")[0] for module in sys.modules} - {"__main__"}):
        if is_beside(folder, name):
            raise RefusedError(f"{name} beside the script has the name of a module that is loaded already")
