"""Whether the key that a host shows is the one on record: an unknown one is refused, a changed one more loudly."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launcher.hosts.ssh.destination import Destination
from launcher.hosts.ssh.known_hosts import HostKey, Record, Standing, records_of, remember, standing
from launcher.hosts.ssh.problems import HostKeyError


def known_kinds(to: Destination) -> tuple[str, ...]:
    """The kinds of the keys that are on record for a host."""
    records = records_of(to.known_as, to.known_hosts) or _without_port(to)
    return tuple(record.key.kind for record in records if not record.revoked)


def verify(key: HostKey, to: Destination) -> None:
    """Raise HostKeyError unless the key is on record, or the user's ssh configuration wants new hosts accepted."""
    found, records = _judge(key, to)
    if found is Standing.UNKNOWN and to.accept_new:
        remember(to.known_hosts[0], [(to.known_as, key)])
    elif found is not Standing.KNOWN:
        raise _refusal(found, key, records, to)


@dataclass(frozen=True)
class NewHostKey:
    """The unknown key of a host, or of a jump host on the way to it: what a person compares before it is believed."""

    host: str
    known_as: str
    kind: str
    fingerprint: str
    file: Path  # where it is put on record


def accept(key: HostKey, to: Destination, agree: Callable[[NewHostKey], bool]) -> NewHostKey | None:
    """Put an unknown key on record if `agree` says so; None when it was known. Raises HostKeyError if it is refused."""
    if _judge(key, to)[0] is Standing.UNKNOWN:
        new = NewHostKey(to.host, to.known_as, key.kind, key.fingerprint, to.known_hosts[0])
        if agree(new):
            remember(new.file, [(to.known_as, key)])
            return new
    verify(key, to)
    return None


def _judge(key: HostKey, to: Destination) -> tuple[Standing, tuple[Record, ...]]:
    """What is on record of a key, and those records.

    As for ssh, a key that is on record for the host itself is known at another port of it, too; one that differs is
    that of another server.
    """
    records = records_of(to.known_as, to.known_hosts)
    found = standing(key, records)
    if found is Standing.UNKNOWN and standing(key, of_host := _without_port(to)) is not Standing.CHANGED:
        return standing(key, of_host), of_host
    return found, records


def _without_port(to: Destination) -> tuple[Record, ...]:
    name = to.address.lower()
    return records_of(name, to.known_hosts) if to.known_as == f"[{name}]:{to.port}" else ()


def _refusal(found: Standing, key: HostKey, records: tuple[Record, ...], to: Destination) -> HostKeyError:
    shown = f"{key.kind} {key.fingerprint}"
    look = f"on the host, `ssh-keygen -lf /etc/ssh/ssh_host_{_file(key.kind)}_key.pub` shows its own"
    if found is Standing.UNKNOWN:
        what = f"the key of {to.known_as} is unknown: {shown}"
        expected = f"a record of it in {to.known_hosts[0]}"
        accept = f"{to.ssh_command('true')}, or npu-launch up CLUSTER --accept-new-host-keys"
        remedy = f"{look}; if it is the same, accept it: {accept}"
    elif found is Standing.REVOKED:
        what = f"THE KEY OF {to.known_as} IS REVOKED: {shown}"
        expected = f"no @revoked ({next(record.where for record in records if record.revoked and record.key == key)})"
        remedy = "give the host another key"
    else:
        old = [record for record in records if not record.revoked]
        what = f"THE KEY OF {to.known_as} HAS CHANGED to {shown}: another machine may have taken its place"
        expected = ", ".join(f"{record.key.kind} {record.key.fingerprint} ({record.where})" for record in old)
        file = old[0].where.rpartition(":")[0]
        forget = shlex.join(["ssh-keygen", "-f", file, "-R", to.known_as])
        remedy = f"{look}; only if the host was set up anew, forget the old one: {forget}"
    return HostKeyError(
        to.host,
        what,
        fingerprint=key.fingerprint,
        changed=found is not Standing.UNKNOWN,
        expected=expected,
        remedy=remedy,
    )


def _file(kind: str) -> str:
    """The middle of the host's key file name: rsa, ecdsa or ed25519."""
    return next((name for name in ("ed25519", "ecdsa") if name in kind), "rsa")
