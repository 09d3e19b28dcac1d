"""The user's keys: those that the agent holds and those in files, and what is wrong with the ones that cannot be used.

Importing this module imports paramiko.
"""

from __future__ import annotations

import base64
import binascii
import os
import socket
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.agent import AgentSSH

from launcher.hosts.ssh.destination import Destination

_AGENT_TIMEOUT = 10.0  # seconds: an agent that was forwarded over a dead connection never answers
_KINDS = ("ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)))  # that paramiko can use
_CERTIFICATE = "-cert-v01@openssh.com"


@dataclass(frozen=True)
class Offer:
    """A key to offer to a server, and what messages call it."""

    label: str
    key: paramiko.PKey


@dataclass(frozen=True)
class Flaw:
    """Why a key, or the agent, is of no use, and the command that mends it where there is one."""

    label: str
    reason: str
    remedy: str = ""


class Agent(AgentSSH):
    """A connection of our own to an ssh agent; it signs, and never gives a key away."""

    def __init__(self, path: str) -> None:
        """Raises OSError and SSHException when nobody answers at the socket."""
        super().__init__()
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(_AGENT_TIMEOUT)
            line.connect(path)
            self._connect(line)  # type: ignore[attr-defined]
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        """Let go of it."""
        self._close()  # type: ignore[attr-defined]


def open_agent(to: Destination) -> Agent | Flaw:
    """The agent of the user, or why there is none."""
    if to.agent is None:
        return Flaw("agent", "none runs (SSH_AUTH_SOCK is not set)")
    try:
        return Agent(to.agent)
    except (OSError, paramiko.SSHException, EOFError) as error:
        return Flaw("agent", f"{to.agent}: {getattr(error, 'strerror', None) or error or 'no answer'}")


def offers(to: Destination, agent: Agent | None) -> tuple[list[Offer], list[Flaw]]:
    """The keys to offer, in this order: key files that somebody named, all that the agent has, and the usual files.

    The agent stands in for a file whose key it holds, so a passphrase is needed nowhere. With IdentitiesOnly nothing
    is offered but the files. OpenSSH puts the agent before a named file, whose turn may then never come (MaxAuthTries).
    """
    held = {key.blob: key for key in agent.get_keys()} if agent is not None else {}
    of_files: list[Offer] = []
    flaws: list[Flaw] = []
    for path in to.keys:
        blob = _public_blob(path)
        if blob in held:
            of_files.append(Offer(f"{path} (agent)", held.pop(blob)))
        elif to.named or path.exists():
            loaded = _load(path)
            if isinstance(loaded, Flaw):
                flaws.append(loaded)
            elif (twin := held.pop(loaded.asbytes(), None)) is not None:
                of_files.append(Offer(f"{path} (agent)", twin))
            else:
                of_files.append(Offer(str(path), loaded))
    if agent is not None and not agent.get_keys():
        flaws.append(Flaw("agent", "holds no key"))
    if not to.named and not any(path.exists() for path in to.keys):
        flaws.append(Flaw(str(to.keys[0].parent), f"has none of {', '.join(path.name for path in to.keys)}"))
    of_agent: list[Offer] = []
    for key in held.values() if not to.identities_only else ():
        label = f"agent key {key.comment!a}"
        if key.name.removesuffix(_CERTIFICATE) in _KINDS:
            of_agent.append(Offer(label, key))
        else:
            flaws.append(Flaw(label, f"its kind {key.name!a} is not supported"))
    return ([*of_files, *of_agent] if to.named else [*of_agent, *of_files]), flaws


def _public_blob(path: Path) -> bytes:
    """The public key beside a private one, or in the file itself when it is one of those; empty where there is none."""
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    try:
        return base64.b64decode(public.read_bytes().split()[1])
    except (OSError, IndexError, binascii.Error):
        return b""


def _load(path: Path) -> paramiko.PKey | Flaw:
    """A private key from its file, with the certificate beside it."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Flaw(str(path), "is no file")
        if status.st_uid == os.geteuid() and status.st_mode & 0o077:
            reason = f"permissions {stat.S_IMODE(status.st_mode):04o} let others read it"
            return Flaw(str(path), reason, f"chmod 600 {path}")
        return _loaded(path, status.st_mtime_ns)
    except OSError as error:
        return Flaw(str(path), (error.strerror or "cannot be read").lower())
    except (TypeError, paramiko.PasswordRequiredException):
        return Flaw(str(path), "needs a passphrase, and the agent does not hold it", f"ssh-add {path}")
    except (ValueError, paramiko.SSHException, UnsupportedAlgorithm, paramiko.pkey.UnknownKeyType, IndexError):
        return Flaw(str(path), "is no private key that can be used (ed25519, ecdsa or rsa)")


@lru_cache(maxsize=64)
def _loaded(path: Path, changed: int) -> paramiko.PKey:  # noqa: ARG001  a changed file is another one
    return paramiko.PKey.from_path(path)
