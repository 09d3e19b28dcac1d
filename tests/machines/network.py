"""The network between the machines of a test: network namespaces on a bridge that lies in a namespace of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

_CABLE = Path(__file__).with_name("cable.py")
_NAMESPACES = Path("/run/netns")
_NUMBERS = count(1)  # of the networks of this process
_OURS = re.compile(r"nl-(\d+)-.+")


def command(*argv: str) -> str:
    """Run a command that has to succeed; what it said."""
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip()}"
    return done.stdout


class Network:
    """A bridge and the namespaces that hang on it; nothing of it is seen by, or reaches, this machine's own network.

    The ports are numbered from 1; the one numbered n has the addresses 10.213.77.(10 + n) and fd77::(10 + n).
    """

    def __init__(self) -> None:
        sweep()
        self._prefix = f"nl-{os.getpid()}-{next(_NUMBERS)}-"
        self._cables: list[subprocess.Popen[bytes]] = []
        self._switch = self._add("switch")
        command("ip", "-n", self._switch, "link", "add", "bridge", "type", "bridge")
        command("ip", "-n", self._switch, "link", "set", "bridge", "up")

    def attach(self, name: str, number: int) -> str:
        """Hang a new namespace on the bridge; its name."""
        space, port = self._add(name), f"port{number}"
        command(
            "ip", "link", "add", "eth0", "netns", space, "type", "veth", "peer", "name", port, "netns", self._switch
        )
        command("ip", "-n", self._switch, "link", "set", port, "master", "bridge", "up")
        command("ip", "-n", space, "addr", "add", f"{address(number)}/24", "dev", "eth0")
        command("ip", "-n", space, "addr", "add", f"{address6(number)}/64", "dev", "eth0", "nodad")
        command("ip", "-n", space, "link", "set", "eth0", "up")
        command("ip", "-n", space, "link", "set", "lo", "up")
        return space

    def lengthen(self, number: int, delay: float, loss: float) -> None:
        """Put a long and bad cable between a port and the bridge, once (cable.py)."""
        port, near, far = f"port{number}", f"near{number}", f"far{number}"
        command("ip", "-n", self._switch, "link", "set", port, "nomaster")
        command("ip", "-n", self._switch, "link", "add", near, "type", "veth", "peer", "name", far)
        command("ip", "-n", self._switch, "link", "set", near, "master", "bridge", "up")
        command("ip", "-n", self._switch, "link", "set", far, "up")
        cable = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self._switch, sys.executable, str(_CABLE)),
                *(port, far, str(delay), str(loss), str(number)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self._cables.append(cable)
        assert cable.stdout is not None
        assert cable.stdout.readline(), f"the cable at port {number} carries nothing"

    def close(self) -> None:
        """Remove every namespace of this network."""
        for cable in self._cables:
            cable.kill()
            cable.communicate()
        for space in _spaces():
            if space.startswith(self._prefix):
                _remove(space)

    def _add(self, name: str) -> str:
        space = f"{self._prefix}{name}"
        command("ip", "netns", "add", space)
        return space


def address(number: int) -> str:
    """The IPv4 address at a port of the bridge."""
    return f"10.213.77.{10 + number}"


def address6(number: int) -> str:
    """The IPv6 address at a port of the bridge."""
    return f"fd77::{10 + number}"


def sweep() -> None:
    """Remove what tests left that were killed: namespaces whose maker is gone, and whatever still runs in them."""
    for space in _spaces():
        if not Path(f"/proc/{_owner(space)}").exists():
            _remove(space)


def _spaces() -> list[str]:
    return [path.name for path in _NAMESPACES.glob("nl-*") if _OURS.fullmatch(path.name)]


def _owner(space: str) -> int:
    match = _OURS.fullmatch(space)
    assert match is not None
    return int(match[1])


def _remove(space: str) -> None:
    left = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True).stdout.split()
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", space], capture_output=True)
