"""Starts processes that die with the shim, signals them, and finds all that came of them."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)

_ALL_SIGNALS = signal.valid_signals()
_CATCHABLE_SIGNALS = sorted(n for n in _ALL_SIGNALS - {signal.SIGKILL, signal.SIGSTOP} if n < signal.SIGRTMIN)

_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """A rank or a service of an attempt that this shim started; `rank` is None for a service."""

    def __init__(self, pid: int, exec_error: int | None) -> None:
        self.pid = pid
        self.name = ""
        self.rank: int | None = None
        self.attempt = 0
        self.stopped = False
        self._exec_error = exec_error

    def take_exec_error(self) -> str | None:
        """Why it could not be executed, once it has ended."""
        if self._exec_error is None:
            return None
        try:
            return os.read(self._exec_error, 4096).decode(errors="replace") or None
        except BlockingIOError:
            return None
        finally:
            os.close(self._exec_error)


def adopt_orphans() -> None:
    """Become the parent of what double-forks below us, in init's place (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextmanager
def adopting_no_orphans() -> Iterator[None]:
    """For a moment, what double-forks below us becomes a child of the next subreaper above, or init's."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    try:
        yield
    finally:
        adopt_orphans()


def start(process: Mapping[str, Any], environment: Mapping[str, str], own: str) -> Child:
    """Fork a process of the plan; folders of it below `own` are made. Raises OSError when that fails.

    Its output goes straight to its log: no pipe, no loss. That it could not be executed shows in `take_exec_error`.
    """
    exec_error, report = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        make_folders(process, own)
        log = os.open(process["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        shim = os.getpid()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                _become(process, environment, log, report, shim)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(log)
    except OSError:
        os.close(exec_error)
        raise
    finally:
        os.close(report)
    return Child(pid, exec_error)


def bind(cpus: Iterable[int] | None) -> None:
    """Bind this process to these processors. One that cannot be bound says so on its standard error, and goes on."""
    if not cpus:
        return
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        os.write(2, f"npu-launch: this rank is not bound to processors: {error.strerror}\n".encode())


def make_folders(process: Mapping[str, Any], own: str) -> None:
    """Make those of the process's folders that belong to the run. Raises OSError."""
    for folder in (os.path.dirname(process["log"]), process.get("cann_log_dir"), process["cwd"]):
        if folder and folder.startswith(own + "/"):
            os.makedirs(folder, mode=0o700, exist_ok=True)


def signal_process(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the process group that `pid` leads; before its setsid, the process alone."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        signal_process(pid, number)
    except PermissionError:
        return


def forbid_core(pid: int) -> None:
    """Have a process leave no core file; a limit of 1 byte keeps those away too that go through a pipe (core(5))."""
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (1, resource.prlimit(pid, resource.RLIMIT_CORE)[1]))
    except (OSError, ValueError):
        return


def name_of(pid: int) -> str:
    """What the kernel calls a process, or `?` when it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"


def descendants(root: int, spared: Iterable[int] = ()) -> list[int]:
    """Every process below `root`, zombies included: one may have threads that still hold a device.

    Those in `spared` are left out, with all below them.
    """
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, todo = [], [root]
    while todo:
        below = [pid for pid in children.get(todo.pop(), []) if pid not in spared]
        found += below
        todo += below
    return found


def _become(process: Mapping[str, Any], environment: Mapping[str, str], log: int, report: int, shim: int) -> NoReturn:
    """In the forked child: become the process, or leave the reason in `report` and end with 127."""
    try:
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _libc.prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)  # py-spy may look, of this user (Yama, ptrace_scope 1)
        if os.getppid() != shim:  # it died before the line above
            os._exit(127)
        signal.set_wakeup_fd(-1)
        for number in _CATCHABLE_SIGNALS:
            if signal.getsignal(number) != signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        bind(process.get("cpus"))
        os.chdir(process["cwd"])
        os.execvpe(process["argv"][0], process["argv"], environment)  # every other descriptor is close-on-exec
    except BaseException as error:
        reason = getattr(error, "strerror", None) or error
        os.write(report, f"cannot execute {process['argv'][0]!r} in {process['cwd']!r}: {reason}".encode()[:4000])
    finally:
        os._exit(127)
