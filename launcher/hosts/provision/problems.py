"""What can go wrong on a host: always with the host, the step, and what to do about it."""

from __future__ import annotations

from launcher.errors import InfrastructureError


def failed(host: str, step: str, what: str, *, expected: str = "", remedy: str = "") -> InfrastructureError:
    """A host that gets no environment; the step is `look`, `environment` or `push`."""
    return InfrastructureError(what, where=f"host {host}, {step}", expected=expected, remedy=remedy)


def megabytes(size: int) -> str:
    """Bytes for a person."""
    return f"{size / 1e6:.0f} MB"


def last_line(text: bytes) -> str:
    """The last line of what a program said, as one line of printable text: it says what happened."""
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return "".join(letter if letter.isprintable() else "?" for letter in lines[-1][:300]) if lines else ""
