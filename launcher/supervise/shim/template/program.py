"""Runs the script of a rank as an interpreter would that was started for it."""

from __future__ import annotations

import ctypes
import functools
import itertools
import operator
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_libc = ctypes.CDLL(None)
_libc.fopen.restype = ctypes.c_void_p


def fresh_main(script: str | None) -> ModuleType:
    """`__main__` as an interpreter makes it before it runs anything."""
    main = ModuleType("__main__")
    main.__builtins__ = sys.modules["builtins"]  # type: ignore[attr-defined]
    main.__annotations__ = {}
    main.__loader__ = sys.modules["_frozen_importlib"].BuiltinImporter
    if script is not None:
        main.__file__ = script
    return main


def program(tail: list[str]) -> Callable[[type, BaseException, Any], object]:
    """What runs the rank's script: a `sys.excepthook` made of C functions alone.

    The interpreter calls that hook when an exception has ended this program, with no Python frame left on the stack. So
    a script run by the hook is the bottom frame for tracebacks, `inspect` and py-spy, as it is in a started process.
    PyRun_* is what the interpreter runs a script with: it sets up `__main__`, prints exceptions, exits on SystemExit.
    When the script ends well, Py_Exit follows; when it fails, the interpreter goes on to end as it always does after an
    exception: with code 1, or with SIGINT after KeyboardInterrupt.
    """
    api, argument = ctypes.pythonapi, ctypes.py_object
    call = ctypes.PYFUNCTYPE(argument, argument)(("PyObject_CallNoArgs", api))
    exit_with = ctypes.PYFUNCTYPE(None, ctypes.c_int)(("Py_Exit", api))
    if tail[0] == "-c":
        run_code = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(("PyRun_SimpleStringFlags", api))
        run: Callable[[], int] = functools.partial(run_code, os.fsencode(tail[1] + "\n"), None)
    else:
        name = os.fsencode(os.path.join(os.getcwd(), tail[0]))
        run_file = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)(
            ("PyRun_SimpleFileExFlags", api)
        )
        run = functools.partial(run_file, _libc.fopen(name, b"rb"), name, 1, None)
    tidy: list[Callable[[], object]] = [functools.partial(setattr, sys, "excepthook", sys.excepthook)]
    for name_of_last in ("last_exc", "last_type", "last_value", "last_traceback"):
        tidy.append(functools.partial(vars(sys).pop, name_of_last, None))
    statuses = itertools.islice(map(call, [*tidy, run]), len(tidy), None)
    exits = map(exit_with, filter(functools.partial(operator.eq, 0), statuses))
    steps: Callable[[], object] = functools.partial(list, exits)
    ignore_three = ctypes.PYFUNCTYPE(argument, argument, argument, argument, argument)(("PyObject_CallNoArgs", api))
    hook: Callable[[type, BaseException, Any], object] = functools.partial(ignore_three, steps)
    return hook
