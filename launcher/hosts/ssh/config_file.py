"""The user's own ssh configuration, `~/.ssh/config` and then `/etc/ssh/ssh_config`, as paramiko can look it up.

paramiko's parser knows no `Include` (OpenSSH manual, ssh_config(5)): the files are put in place here before it reads.
Importing this module imports paramiko.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import paramiko

from launcher.errors import UsageError

_KEYWORD = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*)")
_DEPTH = 16  # of includes, as OpenSSH has it
_ANY = "Host *"
_EXEC_TIMEOUT = 10  # seconds


class _MatchExec:
    """Runs the commands of `Match exec` for paramiko, in the place of invoke: that reads our own stdin meanwhile."""

    @staticmethod
    def run(command: str, **_: object) -> SimpleNamespace:
        """Whether a command of the user's own configuration succeeds, as the shell has it; raises TimeoutExpired."""
        ended = subprocess.run(
            ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=_EXEC_TIMEOUT
        )
        return SimpleNamespace(ok=ended.returncode == 0)


paramiko.config.invoke = _MatchExec  # type: ignore[attr-defined]


class _Config(paramiko.SSHConfig):
    """paramiko's, without `%l`, our own full name: it would ask the name service for that at every host."""

    TOKENS_BY_CONFIG_KEY: dict[str, list[str]] = {  # noqa: RUF012  as it is there
        key: [token for token in tokens if token != "%l"]  # noqa: S105  no password
        for key, tokens in paramiko.SSHConfig.TOKENS_BY_CONFIG_KEY.items()
    }


def read_ssh_config(home: Path, system: Path, only: str | None = None) -> paramiko.SSHConfig:
    """What ssh would be told, from the files that there are; `home` is the user's and `system` usually /etc/ssh.

    `only` is what `ssh -F` takes: one file in the place of both, which must be there, or `none` for none at all.
    Raises UsageError, with file and line, for what can be neither read nor understood.
    """
    user = home / ".ssh/config" if only is None else Path(only).expanduser()
    lines: list[str] = []
    if only != "none" and (only is not None or user.exists()):
        lines += [_ANY, *_expanded(user, home / ".ssh", home, _ANY, 0)]
    if only is None and (system / "ssh_config").exists():
        lines += [_ANY, *_expanded(system / "ssh_config", system, home, _ANY, 0)]
    try:
        return _Config.from_text("\n".join(lines))
    except (paramiko.ConfigParseError, ValueError) as error:
        raise UsageError(
            f"{error}", where=str(user), expected="ssh_config(5)", remedy="mend the line, or comment it out"
        ) from None


def _expanded(path: Path, base: Path, home: Path, block: str, depth: int) -> Iterator[str]:
    """The lines of a file, with those of the files it includes; `block` is the Host or Match line it is read under."""
    try:
        text = path.read_text(errors="surrogateescape")
    except OSError as error:
        raise UsageError(
            f"the ssh configuration cannot be read: {error.strerror}", where=str(path), remedy=f"ls -l {path}"
        ) from None
    outer = block
    for number, line in enumerate(text.splitlines(), start=1):
        found = _KEYWORD.fullmatch(line)
        keyword = found[1].lower() if found else ""
        if found is None or keyword != "include":
            if keyword in ("host", "match"):
                if outer != _ANY:
                    raise UsageError(
                        f"{keyword.title()} in a file that is included under {outer.strip()!r} is not understood",
                        where=f"{path}:{number}",
                        remedy="move the Include to the top of its file, before the first Host",
                    )
                block = line
            yield line
            continue
        if depth == _DEPTH:
            raise UsageError("files that include each other", where=f"{path}:{number}", remedy="break the circle")
        for pattern in _words(found[2], f"{path}:{number}"):
            for included in _matching(pattern, base, home):
                yield from _expanded(included, base, home, block, depth + 1)
                yield block  # the included file may have left it


def _matching(pattern: str, base: Path, home: Path) -> list[Path]:
    """The files that an Include names, sorted; those that are not there are no error to ssh."""
    path = home / pattern[2:] if pattern.startswith("~/") else base / pattern  # an absolute pattern leaves base out
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _words(text: str, where: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{error}: {text.strip()}", where=where, remedy="mend the quotes") from None
