"""Ranks forked from a process that has imported their libraries; `template` is what runs in that process."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from launcher.supervise.shim.processes import start

_TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "template")
_IMPORT_LIMIT = 120  # seconds; a first import from a cold network disk takes about a minute
_ANSWER_LIMIT = 10.0  # seconds; 8 ranks take 0.1
_RUN_TAG = "NPU_LAUNCH_RUN"
_FLAGS = frozenset("bBdEIOPqsSuv")  # interpreter options that may be clustered; -X and -W have a value

Process = Mapping[str, Any]
Environment = Mapping[str, str]


class TemplateError(Exception):
    """No process could be forked from the template, and none of this request is left: start them plainly."""


class Template:
    """One template process of this shim.

    `fd` becomes readable when `receive` has something to take; `is_ready` and `refusal` then say what came of it, once
    and for all, but for a template that dies later. Whoever reaps the shim's children tells `ended` about `pid`.
    """

    def __init__(
        self, processes: Sequence[Process], environments: Sequence[Environment], owned: Collection[str], log: str
    ) -> None:
        """Start a template for these processes, the first of which runs the script. Raises OSError.

        `environments` are their whole environments; `owned` names the variables that tell a rank who it is.
        Raises ValueError, with the reason as a sentence, when they have no template in common.
        """
        interpreter, tail = split_command(processes[0]["argv"])
        if tail[0] == "-c":
            raise ValueError("there is no script whose imports could be looked at")
        self.interpreter = interpreter
        self.is_ready = False
        self.refusal: str | None = None
        self._owned = frozenset(owned)
        self._cwd = processes[0]["cwd"]
        self._environment = in_common(environments)
        self._read: frozenset[str] = frozenset()
        self._received = b""
        self._control, theirs = socket.socketpair()
        with theirs:
            theirs.set_inheritable(True)
            command = [*interpreter, _TEMPLATE, str(theirs.fileno())]
            process = {"argv": command, "cwd": self._cwd, "log": log}
            try:
                self._child = start(process, self._environment, os.path.dirname(log))
            except OSError:
                self._control.close()
                raise
        self.pid: int | None = self._child.pid
        self._control.settimeout(_ANSWER_LIMIT)
        self._send({"tail": tail, "limit": _IMPORT_LIMIT})

    @property
    def fd(self) -> int:
        """The descriptor to poll; -1 when the template is gone."""
        return self._control.fileno()

    def receive(self) -> None:
        """Take what the template has sent: it is ready, or refuses, or has ended."""
        try:
            message = self._next()
        except (TemplateError, OSError):
            self._refuse(self._why_ended())
            return
        if "refused" in message:
            self._refuse(message["refused"])
            return
        self._read = frozenset(message["read"])
        self.is_ready = True

    def ended(self, code: int) -> None:
        """The shim has reaped the template."""
        self.pid = None
        self._refuse(_how_it_ended(code))

    def obstacle(self, process: Process, environment: Environment) -> str | None:
        """Why this process cannot be forked from this template, as a sentence.

        A variable that differs matters when an import has read it, and also when it is not one of those that tell a
        rank who it is: C code, whose reading nobody sees, may have read it (GLOG_log_dir, OMP_NUM_THREADS).
        """
        try:
            interpreter, _ = split_command(process["argv"])
        except ValueError as error:
            return str(error)
        if interpreter != self.interpreter:
            return f"it runs under {' '.join(interpreter)}, not {' '.join(self.interpreter)}"
        if process["cwd"] != self._cwd and not _has_absolute_paths(environment.get("PYTHONPATH", "")):
            return "PYTHONPATH is relative to its own working folder"
        for name in sorted({*self._environment, *environment}):
            if self._environment.get(name) == environment.get(name):
                continue
            if name in self._read:
                return f"{name} is read while libraries are imported, and differs from process to process"
            if name not in self._owned:
                return f"{name} may be read while libraries are imported, and differs from process to process"
        return None

    def fork(self, processes: Sequence[tuple[Process, Environment]]) -> list[int | None]:
        """Fork these processes, as children of the shim; their pids, None for one that could not become the process.

        That one is to be started plainly, which shows why. Folders must be there. Takes milliseconds, blocking; raises
        TemplateError when the template is gone or does not answer, and then no process of them is left.
        """
        if not self.is_ready:
            raise TemplateError(self.refusal or "it is still importing")
        pids: list[int | None] = []
        try:
            self._send({"fork": [_as_rank(process, environment) for process, environment in processes]})
            pids = self._next()["pids"]
            self._send({"go": True})
            self._next()
        except (OSError, TemplateError, ValueError, KeyError) as error:
            _kill(pids)
            has_ended = isinstance(error, (TemplateError, ConnectionError))
            self._refuse(self._why_ended() if has_ended else f"it does not answer: {error}")
            raise TemplateError(self.refusal) from None
        return pids

    def _refuse(self, reason: str) -> None:
        """It is of no use any more; the first reason stays."""
        self.is_ready = False
        self.refusal = self.refusal or reason
        self._control.close()
        if self.pid is not None:
            _kill([self.pid])

    def _why_ended(self) -> str:
        """Why it has closed its end, which it does not do while it lives."""
        if self.pid is None:
            return "it ended"
        _kill([self.pid])
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return "it ended"
        finally:
            self.pid = None
        return self._child.take_exec_error() or _how_it_ended(os.waitstatus_to_exitcode(status))

    def _send(self, message: Mapping[str, Any]) -> None:
        """Say something to a template; one that has ended is found out when it is listened to."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._control.sendall(json.dumps(message).encode() + b"\n")

    def _next(self) -> dict[str, Any]:
        """The next message; raises TemplateError at the end, OSError when there is none in time."""
        while b"\n" not in self._received:
            data = self._control.recv(1 << 16)
            if not data:
                raise TemplateError("it ended")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


def split_command(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The interpreter with its flags, and SCRIPT or -c CODE with what follows. ValueError when it has neither."""
    at = 1
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "-c":
        option = argv[at]
        if option in ("-X", "-W"):
            at += 2
        elif option[:2] in ("-X", "-W") or set(option[1:]) <= _FLAGS:
            at += 1
        else:
            raise ValueError(f"the interpreter has the option {option}")
    tail = list(argv[at:])
    if len(tail) < (2 if tail[:1] == ["-c"] else 1):
        raise ValueError("it runs no script")
    return list(argv[:at]), tail


def in_common(environments: Sequence[Environment]) -> dict[str, str]:
    """The variables that all of these environments have, with one value; that of the run tells whose a process is."""
    first, *others = environments
    common = {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
    if _RUN_TAG in first:
        common[_RUN_TAG] = first[_RUN_TAG]
    return common


def _has_absolute_paths(search_path: str) -> bool:
    return all(os.path.isabs(folder) for folder in search_path.split(":") if search_path)


def _as_rank(process: Process, environment: Environment) -> dict[str, object]:
    _, tail = split_command(process["argv"])
    return {
        "tail": tail,
        "env": dict(environment),
        "cwd": process["cwd"],
        "log": process["log"],
        "cpus": process.get("cpus"),
    }


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGALRM:
        return f"its imports took longer than {_IMPORT_LIMIT} s"
    if code < 0:
        return f"it was killed by {signal.Signals(-code).name}"
    return f"it ended with code {code}"


def _kill(pids: Iterable[int | None]) -> None:
    for pid in pids:
        if pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
