"""Numbers of things, as sentences say them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 rank`, `8 ranks`; a noun with another plural brings it along."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"
