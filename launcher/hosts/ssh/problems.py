"""What can go wrong on the way to a host: always with the host, the step, and what to do about it."""

from __future__ import annotations

from enum import Enum

from launcher.errors import InfrastructureError


class Step(str, Enum):
    """How far we came."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    JUMP = "jump"
    GREET = "greet"  # both sides' version lines and the key exchange
    HOST_KEY = "host key"
    LOG_IN = "log in"
    CHANNEL = "open a channel"
    RUN = "run"
    TRANSFER = "transfer"


class SshError(InfrastructureError):
    """A host cannot be reached, or was lost: which is not the same as a command that failed there."""

    def __init__(self, host: str, step: Step, what: str, *, expected: str = "", remedy: str = "") -> None:
        super().__init__(what, where=f"host {host}, {step.value}", expected=expected, remedy=remedy)
        self.host = host
        self.step = step


class HostKeyError(SshError):
    """The host shows a key that is not the one on record; `changed` where there is another one on record."""

    def __init__(self, host: str, what: str, *, fingerprint: str, changed: bool, expected: str, remedy: str) -> None:
        super().__init__(host, Step.HOST_KEY, what, expected=expected, remedy=remedy)
        self.fingerprint = fingerprint
        self.changed = changed


def quoted(text: str | bytes, limit: int = 200) -> str:
    """Text that came from another machine, as one line of printable ASCII."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return ascii(shown[:limit] + ("..." if len(shown) > limit else ""))
