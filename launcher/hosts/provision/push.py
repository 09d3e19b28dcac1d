"""Brings an environment to a host, and tries the one that is there."""

from __future__ import annotations

import inspect
import json
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.provision import settle
from launcher.hosts.provision.archive import Archive
from launcher.hosts.provision.choice import Environment, Release
from launcher.hosts.provision.own_python import FOLDER
from launcher.hosts.provision.problems import failed, last_line, megabytes
from launcher.hosts.provision.seen import Seen
from launcher.hosts.reach import Answer, Reach
from launcher.hosts.ssh.problems import SshError
from launcher.specs import Host

RECEIVE: Final = Path(__file__).with_name("receive.sh")
_PIECE: Final = 8 << 20  # bytes
_SECONDS: Final = 300.0  # for a piece, which is 28 KB a second, and for unpacking
_SETTLE_SECONDS: Final = 3.0 * settle.TRIAL_SECONDS + 60  # it may have to try what is new, and what was there
_TRIES: Final = 3  # of a connection that is lost, each from where the last one came to


@dataclass(frozen=True)
class Place:
    """Where an environment is, or is to be, on a host."""

    host: Host
    reach: Reach
    seen: Seen
    release: Release
    environment: Environment

    @property
    def folder(self) -> str:
        """npu-launch's folder of environments there."""
        return f"{self.seen.home}/env"

    @property
    def python(self) -> str:
        """The interpreter of the environment."""
        return f"{self.folder}/{self.environment.name}/bin/python"

    @property
    def base(self) -> str:
        """The interpreter that it stands on."""
        return self.environment.base or self._own(self.environment.name)

    def under(self, new: str) -> str:
        """The interpreter to stand on, while what is new lies in a folder of another name."""
        return self.environment.base or self._own(new)

    def _own(self, name: str) -> str:
        return f"{self.folder}/{name}/{FOLDER}/bin/python{self.release.minor}"

    def failed(self, what: str, *, expected: str = "", remedy: str = "") -> InfrastructureError:
        """A push that came to nothing."""
        return failed(self.host.name, "push", what, expected=expected, remedy=remedy)


def verify(place: Place) -> tuple[str, ...]:
    """Try the environment that is there; the old ones that were removed for it. Raises InfrastructureError."""
    return _settle(place, new="")


def push(place: Place, archive: Archive, stopped: threading.Event) -> tuple[str, ...]:
    """Bring an environment, try it, and put it into its place; the old ones that were removed for it.

    A connection that is lost on the way is made again, and the rest is sent. Two pushes at once do not meet: each fills
    a file of its own, and the first environment that works stays. Raises InfrastructureError, also when it is stopped.
    """
    _check_room(place, archive)
    unique = f".{place.environment.name}.{secrets.token_hex(4)}"
    part, new = f"{unique}.part", f"{unique}.new"
    try:
        if not (_sent(place, archive, part, new, stopped) or _sent(place, archive, part, new, stopped)):
            raise place.failed(
                "the archive arrived damaged, twice",
                remedy=f"remove {archive.path} here, and look at the disk and the network of {place.host.name}",
            )
        return _settle(place, new)
    except SshError:  # what has arrived is taken up again by the next push
        raise
    except NpuLaunchError:
        _receive(place, part, "drop", new)
        raise


def _sent(place: Place, archive: Archive, part: str, new: str, stopped: threading.Event) -> bool:
    """Send the archive to be unpacked in a folder there; False: it arrived damaged."""
    size = _size(place, part, "begin", place.environment.name)
    lost = 0
    while size < archive.demands.packed:
        for piece in archive.pieces(size, _PIECE):
            if stopped.is_set():
                raise place.failed("it was interrupted", remedy="run it again")
            try:
                size = _size(place, part, "append", input=piece)
            except SshError:
                lost += 1
                if lost == _TRIES or stopped.is_set():
                    raise
                size = _size(place, part, "begin", place.environment.name)
                break
    return _receive(place, part, "unpack", archive.demands.sha256, new) == "unpacked"


def _size(place: Place, part: str, *words: str, input: bytes = b"") -> int:
    """How many bytes have arrived, after one step of `receive.sh`."""
    said = _receive(place, part, *words, input=input)
    if not said.isdigit():
        raise place.failed(f"its answer is not understood: {last_line(said.encode())}", expected="a size in bytes")
    return int(said)


def _receive(place: Place, part: str, *words: str, input: bytes = b"") -> str:
    """What one step of `receive.sh` says."""
    answer = place.reach.run(
        ["sh", "-c", RECEIVE.read_text(), "sh", place.folder, part, *words], input=input, timeout=_SECONDS
    )
    if answer.code != 0:
        raise place.failed(
            f"{place.folder}: {_said(answer)}",
            expected="a folder with room, and tar and gzip there",
            remedy=f"ssh {place.host.address} df {place.seen.home}",
        )
    return answer.stdout.decode("utf-8", "replace").strip()


def _settle(place: Place, new: str) -> tuple[str, ...]:
    """Have the host make it ready and try it."""
    request = {
        "folder": place.folder,
        "name": place.environment.name,
        "new": new,
        "base": place.base,
        "minor": place.release.minor,
    }
    source = f"{inspect.getsource(settle)}\nmain({json.dumps(request)!r})\n"
    argv = [place.under(new or place.environment.name), "-I", "-c", source]
    answer = place.reach.run(argv, timeout=_SETTLE_SECONDS)
    found = _found(argv, answer)
    wanted = {"npu-launch": place.release.npu_launch, "ray": place.release.distributions["ray"]}
    problem = found.get("problem")
    wrong = [f"{name} {found.get(name)}" for name, version in wanted.items() if found.get(name) != version]
    if problem is not None or wrong:
        raise place.failed(
            f"the environment does not run there: {problem or 'it has ' + ', '.join(wrong)}",
            expected=f"glibc and the usual libraries of the system (libstdc++), it has {place.seen.libc}",
            remedy="install what is missing, or name an interpreter that has npu-launch and Ray (python: in the spec)",
        )
    return tuple(found.get("removed", ()))


def _found(argv: Sequence[str], answer: Answer) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(answer.stdout.decode("utf-8", "replace").splitlines()[-1])
    except (ValueError, IndexError):
        return {"problem": f"{argv[0]}: {_said(answer)}"}
    return found


def _said(answer: Answer) -> str:
    return answer.problem or last_line(answer.stderr) or f"exit {answer.code}"


def _check_room(place: Place, archive: Archive) -> None:
    needed = archive.demands.packed + archive.demands.unpacked
    space = place.seen.space
    if space is not None and space.free < needed:
        raise place.failed(
            f"{place.seen.home}: the environment needs {megabytes(needed)}, and there are {space}",
            remedy="make room there, or set NPU_LAUNCH_HOME to a folder on another disk",
        )
