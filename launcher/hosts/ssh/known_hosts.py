"""The keys of hosts that are on record: reading known_hosts files, judging a key, and putting a key on record.

The file format is that of OpenSSH (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), with hashed names, patterns and `@revoked`;
`@cert-authority` is left out, for paramiko knows no host certificates. (paramiko's own reader has none of these but
hashed names, and takes time with the square of a file of them.)
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path

from launcher.errors import UsageError


@dataclass(frozen=True)
class HostKey:
    """A host's public key: its kind, such as `ssh-ed25519`, and its bytes as they go over the wire."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: `SHA256:...`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def line(self, name: str) -> str:
        """The line of a known_hosts file that puts it on record."""
        return f"{name} {self.kind} {base64.b64encode(self.blob).decode()}\n"


@dataclass(frozen=True)
class Record:
    """A key that a file has for a host. `where` is file:line."""

    key: HostKey
    where: str
    revoked: bool = False


class Standing(Enum):
    """What the records say of a key that a host shows."""

    KNOWN = "known"
    UNKNOWN = "unknown"  # there is no record of the host
    CHANGED = "changed"  # there are records, and none of them is of this key
    REVOKED = "revoked"


def records_of(name: str, paths: Iterable[Path]) -> tuple[Record, ...]:
    """All keys on record for a host, `name` being its own or `[name]:port`; lines that say nothing are passed over.

    Raises UsageError for a file that cannot be read; one that is not there is no error.
    """
    return tuple(record for path in paths for record in _records(name, path))


def standing(key: HostKey, records: Iterable[Record]) -> Standing:
    """What the records of a host say of the key that it shows."""
    same = [record for record in records if record.key == key]
    if any(record.revoked for record in same):
        return Standing.REVOKED
    if same:
        return Standing.KNOWN
    return Standing.CHANGED if any(not record.revoked for record in records) else Standing.UNKNOWN


def remember(path: Path, keys: Iterable[tuple[str, HostKey]]) -> None:
    """Put keys on record, under their names: whole lines at the end of the file, which is ours alone (0600, in 0700).

    Raises UsageError when the file cannot be written.
    """
    text = "".join(key.line(name) for name, key in keys).encode()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.seek(0, os.SEEK_END) and _last_byte(file.fileno()) != b"\n":
                text = b"\n" + text
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"the host key cannot be put on record: {error.strerror}",
            where=str(path),
            remedy="name another file (ssh: {known_hosts: FILE} in the cluster spec)",
        ) from None


def _last_byte(descriptor: int) -> bytes:
    return os.pread(descriptor, 1, os.fstat(descriptor).st_size - 1)


def _records(name: str, path: Path) -> Iterator[Record]:
    try:
        lines = path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(
            f"the host keys on record cannot be read: {error.strerror}", where=str(path), remedy=f"chmod u+r {path}"
        ) from None
    for number, line in enumerate(lines, start=1):
        fields = line.decode("ascii", "replace").split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or marker not in ("", "@revoked"):
            continue
        if _names(fields[0], name):
            try:
                blob = base64.b64decode(fields[2], validate=True)
            except binascii.Error:
                continue
            yield Record(HostKey(fields[1], blob), f"{path}:{number}", revoked=bool(marker))


def _names(patterns: str, name: str) -> bool:
    """Whether the first field of a line means a host."""
    if patterns.startswith("|1|"):
        return _hashed(patterns, name)
    found = False
    for pattern in patterns.lower().split(","):
        plain = pattern.removeprefix("!").replace("[", "[[]")  # no classes here: `[host]:port` is literal
        if fnmatchcase(name, plain):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _hashed(field: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in field.split("|")[2:4])
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
