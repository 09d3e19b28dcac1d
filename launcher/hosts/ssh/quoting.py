"""An argv as one line for the login shell of another host, which may be sh, bash, zsh, csh or fish.

sshd gives the line to that shell, which may say things of its own first (a .bashrc that greets), or not run the line at
all (nologin). So the line marks, on both outputs, where the command's own words begin; the mark has its process id.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

# What every shell leaves alone in single quotes, and sh also in the double quotes within.
_ANYWHERE = re.compile(rb"[A-Za-z0-9 _./:=,@%+#&()*;<>?{|}~^\[\]-]")
_MARK = "printf '\\036npu-launch %d\\036' $$"
_MARKED = re.compile(rb"\x1enpu-launch (\d+)\x1e")
_MOST_PID = 4 * 1024 * 1024  # PID_MAX_LIMIT of Linux


def command_line(argv: Sequence[str], *, at_terminal: bool = False) -> bytes:
    r"""The line that runs an argv on a host, exactly, whatever its user's login shell.

    At a terminal both outputs are one, which gets one mark.

    Shells agree on single quotes only as long as there is no quote, backslash, newline or `!` between them, so those
    are spelt `\0ooo` and put back by `printf %b` of the host's own /bin/sh (POSIX), whose quotes are known. `exec`
    leaves no shell behind: the process id in the mark is the command's, and that of its process group. A command whose
    mark could not be written does not begin: nobody waits for it any more.
    """
    marks = _MARK if at_terminal else f"{_MARK} && {_MARK} >&2"
    script = os.fsencode(f"{marks} && exec {shlex.join(argv)}")
    spelt = b"".join(bytes([byte]) if _ANYWHERE.match(bytes([byte])) else b"\\0%03o" % byte for byte in script)
    return b'exec /bin/sh -c \'eval "$(printf %b "' + spelt + b'")"\''


def own_words(output: bytes) -> tuple[int | None, bytes]:
    """The command's process id, and what it said itself; None, and all there is, when it did not begin."""
    mark = _MARKED.search(output)
    return (None, output) if mark is None else (int(mark[1]), output[mark.end() :])


def kill_line(pid: int) -> bytes:
    """The line that ends a command, with all of its process group.

    By the shell's own `kill` and after `--`: the program /bin/kill of procps 4.0 takes `-KILL -1234` for process -1,
    which means every process of the user (and of root, of the machine). A number so large that a shell might wrap it
    around is refused as 1 and below are.
    """
    if not 1 < pid <= _MOST_PID:
        raise ValueError(f"process group {pid} is not a command's")
    return command_line(["sh", "-c", 'kill -s KILL -- "-$1"', "sh", str(pid)])
