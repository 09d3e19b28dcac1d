"""A file that a plan is written out as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Artifact:
    """A file's name within the folder of all, its text, and whether it can be run."""

    name: str
    text: str
    is_executable: bool = False
