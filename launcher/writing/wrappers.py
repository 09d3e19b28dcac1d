"""Commands that only change how another runs: `nohup`, `taskset`, `env`."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Final

# Options with a value, and operands before the command.
_WRAPPERS: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    **dict.fromkeys(("nohup", "time", "exec", "setsid", "command", "stdbuf"), ((), 0)),
    "env": (("-u", "-C"), 0),
    "nice": (("-n",), 0),
    "sudo": (("-u", "-g"), 0),
    "numactl": (("-N", "-m", "-C", "-i", "-p"), 0),
    "taskset": (("-c", "-p", "-cp"), 0),
    "timeout": (("-s", "-k"), 1),
}


def unwrapped(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """A command line without what only changes how it runs (nohup, taskset), and the variables that `env` sets."""
    words, env = list(argv), {}
    while words and (operands := _WRAPPERS.get(posixpath.basename(words[0]))) is not None:
        is_env = words.pop(0) == "env"
        valued, count = operands
        while words and words[0].startswith("-"):
            words[:] = words[2:] if words[0] in valued else words[1:]
            if not valued and count and words:
                break
        words[:] = words[count:]
        while is_env and words and "=" in words[0]:
            name, _, env[name] = words.pop(0).partition("=")
    return words, env
