"""Entry point of the template, and its talk with the shim."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

# Python has put this folder first in `sys.path`, whatever the flags. A rank must find a module of the user's by any
# name: so these modules get a package that is called like no library, and leave `sys.modules` once they are imported.
__package__ = "_npu_launch_template"
__spec__ = ModuleSpec(f"{__package__}.__main__", None)
sys.modules[__package__] = ModuleType(__package__)
sys.modules[__package__].__path__ = [sys.path.pop(0)]

import gc
import json
import os
import signal
from collections.abc import Container, Iterator
from typing import Any

from .become import Rank, become, die_with
from .imports import Imports
from .libraries import import_libraries
from .program import fresh_main, program
from .trust import RefusedError, check_trust, open_files

for name in [name for name in sys.modules if name.partition(".")[0] == __package__]:
    del sys.modules[name]

_FORKED = 127  # exit code of a child that could not become a rank
_MAX_IMPORT_OUTPUT = 1 << 20  # bytes


class Control:
    """The template's end of the socket to the shim."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self.fd = fd
        self._received = b""

    def receive(self) -> dict[str, Any]:
        """The next message; ends the process when the shim has closed its end."""
        while b"\n" not in self._received:
            data = os.read(self.fd, 1 << 16)
            if not data:
                os._exit(0)
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def send(self, **message: Any) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.fd, data) :]


class Template:
    """This process, once it is trusted."""

    def __init__(self, control: Control, shim: int, import_output: bytes, thread_name: bytes) -> None:
        self._control = control
        self._shim = shim
        self._import_output = import_output
        self._thread_name = thread_name

    def serve(self) -> Rank:
        """Fork ranks whenever asked to; returns only in a rank."""
        while True:
            message = self._control.receive()
            rank = self._fork([Rank(**rank) for rank in message["fork"]])
            if rank is not None:
                return rank

    def _fork(self, ranks: list[Rank]) -> Rank | None:
        """Answer with the pids and let the ranks go when told to; in a rank, returns what it has become.

        Between the template and the ranks is a process that ends at once: so the next subreaper above, the shim,
        becomes their parent. Should the shim not say "go", because it waited too long, all of them end.
        """
        started, report = os.pipe()
        go, let_go = os.pipe()
        intermediate = os.fork()
        if intermediate == 0:
            os.close(started)
            os.close(let_go)
            for number, rank in enumerate(ranks):
                if os.fork() == 0:
                    self._become(rank, number, report, go)
                    return rank
            os._exit(0)
        os.close(report)
        os.close(go)
        pids: list[int | None] = [None] * len(ranks)
        for number, pid in _read_started(started):
            pids[number] = pid
        os.waitpid(intermediate, 0)
        self._control.send(pids=pids)
        self._control.receive()
        os.write(let_go, b"\n" * len(ranks))
        os.close(let_go)
        self._control.send(gone=True)
        return None

    def _become(self, rank: Rank, number: int, report: int, go: int) -> None:
        """Become the rank, then wait until it may go on; a process that cannot ends silently.

        The shim starts that one plainly, and it meets the same hindrance.
        """
        try:
            os.close(self._control.fd)
            become(rank, self._thread_name)
            os.write(report, f"{number} {os.getpid()}\n".encode())
            os.close(report)
            if os.read(go, 1) != b"\n":  # the shim has given up waiting
                os._exit(_FORKED)
            os.close(go)
            die_with(self._shim)
            os.write(1, self._import_output)
        except BaseException:
            os._exit(_FORKED)


def _read_started(started: int) -> Iterator[tuple[int, int]]:
    """Number and pid of those that are ready to go on, read to the end."""
    with open(started, "rb") as lines:
        for line in lines:
            number, pid = line.split()
            yield int(number), int(pid)


def prepare(control: Control, wanted: dict[str, Any], files_at_start: Container[int]) -> None:
    """Import, check, and report; ends the process when it cannot be trusted."""
    tail = wanted["tail"]
    signal.alarm(wanted["limit"])
    try:
        sys.argv[:] = tail
        sys.modules["__main__"] = fresh_main(os.path.join(os.getcwd(), tail[0]))
        try:
            imports = Imports(tail[0])
        except (OSError, SyntaxError, ValueError) as error:
            raise RefusedError(f"cannot read what {tail[0]} imports: {error}") from None
        read = import_libraries(imports.found)
        sys.stdout.flush()
        sys.stderr.flush()
        check_trust(imports.folder, files_at_start)
    except RefusedError as error:
        control.send(refused=str(error))
        os._exit(0)
    signal.alarm(0)
    gc.freeze()  # a collection in a rank would write to every object, and so copy every page
    control.send(read=read)


def main() -> list[str]:
    """Prepare, then serve; returns only in a rank: its command line."""
    shim = os.getppid()
    with open("/proc/self/comm", "rb") as file:
        thread_name = file.read().rstrip(b"\n")
    output_at_start = os.fstat(1).st_size
    control = Control(int(sys.argv[1]))
    prepare(control, control.receive(), open_files())
    with open("/proc/self/fd/1", "rb") as log:
        log.seek(output_at_start)
        import_output = log.read(_MAX_IMPORT_OUTPUT)
    rank = Template(control, shim, import_output, thread_name).serve()
    sys.modules["__main__"] = fresh_main(None)
    return rank.tail


if __name__ == "__main__":
    sys.excepthook = program(main())
    raise SystemError("the hook runs the rank's script")
