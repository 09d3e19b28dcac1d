"""A forked process takes on what makes it the rank that it is to become."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from typing import NamedTuple

from .imports import searches_script_folder

_PR_SET_PDEATHSIG = 1
_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)
_PR_SET_NAME = 15
_PR_SET_MM = 35
_PR_SET_MM_MAP = 14

_libc = ctypes.CDLL(None, use_errno=True)
_libc.malloc.restype = _libc.sbrk.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]


class Rank(NamedTuple):
    """What a forked process is to become: `tail` is its command line after the interpreter and its flags."""

    tail: list[str]
    env: dict[str, str]
    cwd: str
    log: str
    cpus: list[int] | None


def become(rank: Rank, thread_name: bytes) -> None:
    """Take on session, log, folder, environment and command line; `thread_name` is what the kernel calls a started one.

    Raises OSError when the log or the folder is not there to be opened.
    """
    os.setsid()
    log = os.open(rank.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    bind(rank.cpus)
    os.chdir(rank.cwd)
    replace_environment(rank.env)
    show_command([*sys.orig_argv[:-2], *rank.tail], rank.env, thread_name)
    replace_arguments(rank.tail)
    make_different()


def bind(cpus: list[int] | None) -> None:
    """Bind this process to these processors. One that cannot be bound says so on its standard error, and goes on."""
    if not cpus:
        return
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        os.write(2, f"npu-launch: this rank is not bound to processors: {error.strerror}\n".encode())


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends. Raises ProcessLookupError when that has ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _libc.prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)  # as in a rank that was started: py-spy may look
    if os.getppid() != parent:
        raise ProcessLookupError(f"the parent is not {parent}")


def replace_environment(wanted: dict[str, str]) -> None:
    """Change the environment, for C code too."""
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def replace_arguments(tail: list[str]) -> None:
    """Show `sys` the rank's command line: `sys.argv` is the same list, because `from sys import argv` may have run."""
    sys.orig_argv[:] = [*sys.orig_argv[:-2], *tail]
    sys.argv[:] = ["-c", *tail[2:]] if tail[0] == "-c" else tail
    if searches_script_folder():
        sys.path.insert(0, "" if tail[0] == "-c" else os.path.dirname(os.path.realpath(tail[0])))


def make_different() -> None:
    """What every started process draws or looks up for itself. `random` does so after a fork on its own."""
    if "threading" in sys.modules:
        sys.modules["threading"].main_thread()._set_native_id()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].ORIGINAL_DIR = os.getcwd()  # type: ignore[attr-defined]


def show_command(argv: list[str], environment: dict[str, str], thread_name: bytes) -> None:
    """Let the kernel show this command line and environment in /proc, as if they had been executed.

    prctl(2) PR_SET_MM_MAP moves the areas to memory of ours, which needs no privilege; on a kernel without
    CONFIG_CHECKPOINT_RESTORE the command line is written over the template's, as far as it fits.
    """
    _libc.prctl(_PR_SET_NAME, thread_name, 0, 0, 0)
    arguments = b"".join(os.fsencode(argument) + b"\0" for argument in argv)
    variables = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in environment.items())
    with open("/proc/self/stat", "rb") as file:
        stat = [b"", b"", b"", *file.read().rpartition(b")")[2].split()]  # so that indices are those of proc(5)
    at = {number: int(stat[number]) for number in (26, 27, 28, 45, 46, 47, 48, 49)}
    start = _libc.malloc(len(arguments) + len(variables))  # never freed: the kernel reads it
    ctypes.memmove(start, arguments + variables, len(arguments) + len(variables))
    middle, end = start + len(arguments), start + len(arguments) + len(variables)
    code_data_and_heap = (at[26], at[27], at[45], at[46], at[47], _libc.sbrk(ctypes.c_long(0)), at[28])
    memory_map = struct.pack("=12QIi", *code_data_and_heap, start, middle, middle, end, 0, 0, -1)
    if _libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, memory_map, ctypes.c_ulong(len(memory_map)), ctypes.c_ulong(0)):
        size = at[49] - at[48]
        ctypes.memmove(at[48], arguments[: size - 1].ljust(size, b"\0"), size)
