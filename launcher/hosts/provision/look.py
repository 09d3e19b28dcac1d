"""Looks at a host before anything is brought there."""

from __future__ import annotations

import inspect
import secrets
from pathlib import Path
from typing import Final

from launcher.hosts.provision import identity
from launcher.hosts.provision.problems import failed, last_line
from launcher.hosts.provision.seen import Seen, read_seen
from launcher.hosts.reach import Reach
from launcher.specs import Host

SECONDS: Final = 60.0  # a home on a busy file server, and a slow .bashrc, take their time

_SCRIPT: Final = Path(__file__).with_name("look.sh")
_LITTLE: Final = 1_000_000  # bytes: with less, no file of a run can be written either


def look(host: Host, reach: Reach, home: str | None, minor: str) -> Seen:
    """What a host is like; `home` is npu-launch's there, or None for its default; `minor` is our Python, as in `3.11`.

    Raises InfrastructureError when it cannot be reached, is no Linux machine, or its home takes no files.
    """
    source = inspect.getsource(identity) + "\nmain()\n"
    answer = reach.run(
        ["sh", "-s", "--", home or "", minor, host.python or "", secrets.token_hex(8), source],
        input=_SCRIPT.read_bytes(),
        timeout=SECONDS,
    )
    if answer.code != 0:
        raise failed(
            host.name,
            "look",
            f"it cannot be looked at: {answer.problem or last_line(answer.stderr) or f'exit {answer.code}'}",
            expected="a Linux machine with sh and the usual commands",
            remedy=f"ssh {host.address} uname -a",
        )
    try:
        seen = read_seen(answer.stdout.decode("utf-8", "replace"))
    except (LookupError, TypeError, ValueError) as error:
        raise failed(
            host.name,
            "look",
            f"its answer is not understood: {error}: {last_line(answer.stdout)}",
            expected="a Linux machine with sh and the usual commands",
            remedy=f"ssh {host.address} uname -a",
        ) from None
    if seen.system != "Linux":
        raise failed(host.name, "look", f"it runs {seen.system}", expected="Linux")
    is_full = any(word in seen.unwritable for word in ("No space", "quota"))
    if seen.unwritable and not is_full:
        raise failed(
            host.name,
            "look",
            f"{seen.home} takes no files: {last_line(seen.unwritable.encode())}",
            expected=f"a folder that {seen.user or 'the ssh user'} may write, on every host the same",
            remedy="log in as another user (ssh: {user: ...}), or set NPU_LAUNCH_HOME to a folder that can be written",
        )
    if is_full or (seen.space is not None and seen.space.free < _LITTLE):
        raise failed(
            host.name,
            "look",
            f"{seen.home}: the disk is full: {seen.space or 'no room'}",
            expected="room for runs, and some 600 MB for an environment",
            remedy=f"ssh {host.address} df {seen.home}; or set NPU_LAUNCH_HOME to a folder on another disk",
        )
    return seen
