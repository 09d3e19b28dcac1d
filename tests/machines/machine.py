"""One machine of a test: namespaces of its own for network, processes, mounts, host name and shared memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tests.end_to_end import is_alive
from tests.machines.network import command

_BOOT = Path(__file__).with_name("boot.sh")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 20.0  # seconds for a machine to come up


class Machine:
    """A machine that can be used, cut off, powered off and booted again.

    Its file system is a copy of this machine's: what it writes is in memory, seen by nobody else, and gone with its
    power. `address` and `address6` are those that the others reach it by.
    """

    def __init__(
        self, name: str, folder: Path, space: str, address: str, address6: str, files: Sequence[Path], *, has_sshd: bool
    ) -> None:
        self.name, self.address, self.address6 = name, address, address6
        self._folder, self._space, self._files, self._has_sshd = folder, space, files, has_sshd
        self._keeper: subprocess.Popen[bytes] | None = None
        self._first = 0
        self._own: set[int] = set()  # what keeps it up

    def boot(self, size: str = "1g") -> None:
        """Switch it on, with a disk of this size; returns when it has come up."""
        for part in ("root", "disk", "home"):
            (self._folder / part).mkdir(exist_ok=True)
        self._keeper = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self._space),
                *("unshare", "--uts", "--mount", "--ipc", "--pid", "--fork", "--kill-child=KILL"),
                *(
                    "bash",
                    str(_BOOT),
                    str(self._folder),
                    self.name,
                    size,
                    sys.base_prefix,
                    "sshd" if self._has_sshd else "-",
                ),
                *map(str, self._files),
            ],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _PATIENCE
        while not self._is_up():
            assert self._keeper.poll() is None, f"{self.name} ended while it booted"
            assert time.monotonic() < deadline, f"{self.name} does not come up"
            time.sleep(0.005)
        self._own = self._pids()

    @property
    def is_on(self) -> bool:
        """Whether it has power."""
        return self._keeper is not None

    def power_off(self) -> None:
        """Cut its power: every process of it is gone at once, and so is what was on its disk."""
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
            self._keeper = None
            while is_alive(self._first):
                time.sleep(0.005)

    def cut(self) -> None:
        """Pull its network cable."""
        command("ip", "-n", self._space, "link", "set", "eth0", "down")

    def heal(self) -> None:
        """Plug its network cable in again. (With the link, the kernel takes IPv6 addresses down.)"""
        command("ip", "-n", self._space, "link", "set", "eth0", "up")
        command("ip", "-n", self._space, "addr", "replace", f"{self.address6}/64", "dev", "eth0", "nodad")

    def path(self, path: str) -> Path:
        """Where a file of the machine is found from outside; as long as it has power."""
        return Path(f"/proc/{self._first}/root{path}")

    def entering(self, *argv: str | Path, environment: Mapping[str, str] | None = None) -> list[str]:
        """The command that runs a command in the machine, as root, in its home, with an environment of its own."""
        variables = {"HOME": "/root", "USER": "root", "PATH": _PATH, "LANG": "C.UTF-8", **(environment or {})}
        return [
            *("nsenter", f"--target={self._first}", "--uts", "--mount", "--ipc", "--pid", "--net", "--root"),
            *("--wd=/root", "env", "-i", *(f"{name}={value}" for name, value in variables.items())),
            *map(str, argv),
        ]

    def run(
        self, *argv: str | Path, environment: Mapping[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine to its end."""
        return subprocess.run(
            self.entering(*argv, environment=environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def processes(self, *names: str) -> list[psutil.Process]:
        """What runs in the machine (under one of these names), but for what keeps it up; with the ids outside."""
        found = []
        for pid in self._pids() - self._own:
            with suppress(psutil.Error):  # it has ended meanwhile
                process = psutil.Process(pid)
                if not names or process.name() in names:
                    found.append(process)
        return found

    def commands(self) -> list[tuple[psutil.Process, list[str]]]:
        """The same, each with its command line."""
        found = []
        for process in self.processes():
            with suppress(psutil.Error):  # it has ended meanwhile
                found.append((process, process.cmdline()))
        return found

    def stop(self) -> None:
        """Freeze every process of it, as a machine that hangs."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let its processes go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            if self._keeper is None or pid != self._keeper.pid:
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(pid, number)

    def _pids(self) -> set[int]:
        return {int(pid) for pid in command("ip", "netns", "pids", self._space).split()}

    def _is_up(self) -> bool:
        assert self._keeper is not None
        children = psutil.Process(self._keeper.pid).children() if psutil.pid_exists(self._keeper.pid) else []
        if not children:
            return False
        self._first = children[0].pid
        return self.path("/run/booted").exists() and Path(f"/proc/{self._first}/root").resolve() != Path("/")
