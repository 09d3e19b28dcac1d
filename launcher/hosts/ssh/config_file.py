"""The user's own ssh configuration, `~/.ssh/config` and then `/etc/ssh/ssh_config`, as paramiko can look it up.

paramiko's parser knows no `Include` (OpenSSH manual, ssh_config(5)): the files are put in place here before it reads.
Importing this module imports paramiko.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


def ssh_config_lines(home: Path, system: Path, only: str | None = None) -> tuple[str, ...]:
    """What ssh would read, from the files that there are; `home` is the user's and `system` usually /etc/ssh.

    `only` is what `ssh -F` takes: one file in the place of both, which must be there, or `none` for none at all.
    Raises UsageError, with file and line, for what cannot be read, or could be written by others.
    """
    user = home / ".ssh/config" if only is None else Path(only).expanduser()
    lines: list[str] = []
    if only != "none" and (only is not None or user.exists()):
        lines += [_ANY, *_Reading(home, home / ".ssh", private=only is None).lines(user, _ANY, 0)]
    if only is None and (system / "ssh_config").exists():
        lines += [_ANY, *_Reading(home, system, private=False).lines(system / "ssh_config", _ANY, 0)]
    return tuple(lines)


def parsed(lines: Sequence[str], where: str) -> paramiko.SSHConfig:
    """Lines of an ssh configuration to look hosts up in. Raises UsageError for what is not understood."""
    try:
        return _Config.from_text("\n".join(lines))
    except (paramiko.ConfigParseError, ValueError) as error:
        raise UsageError(
            f"{error}", where=where, expected="ssh_config(5)", remedy="mend the line, or comment it out"
        ) from None


@dataclass(frozen=True)
class _Reading:
    """How files are read: a relative Include begins at `base`; what is `private` nobody else may write, as for ssh."""

    home: Path
    base: Path
    private: bool

    def lines(self, path: Path, block: str, depth: int) -> Iterator[str]:
        """The lines of a file, with those of the files it includes; `block` is the Host or Match line it is under."""
        outer = block
        for number, line in enumerate(self._text(path).splitlines(), start=1):
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
                for included in self._matching(pattern):
                    yield from self.lines(included, block, depth + 1)
                    yield block  # the included file may have left it

    def _text(self, path: Path) -> str:
        try:
            with path.open(errors="surrogateescape") as file:
                status = os.fstat(file.fileno())
                text = file.read()
        except OSError as error:
            raise UsageError(
                f"the ssh configuration cannot be read: {error.strerror}", where=str(path), remedy=f"ls -l {path}"
            ) from None
        if self.private and (status.st_uid not in (0, os.geteuid()) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise UsageError(
                f"others may write this ssh configuration (owner {status.st_uid}, {stat.filemode(status.st_mode)}), "
                "and so have commands run as you",
                where=str(path),
                expected="a file that only you may write; ssh refuses it too",
                remedy=f"chmod go-w {path}",
            )
        return text

    def _matching(self, pattern: str) -> list[Path]:
        """The files that an Include names, sorted; those that are not there are no error to ssh."""
        path = self.home / pattern[2:] if pattern.startswith("~/") else self.base / pattern  # or absolute
        return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _words(text: str, where: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{error}: {text.strip()}", where=where, remedy="mend the quotes") from None
