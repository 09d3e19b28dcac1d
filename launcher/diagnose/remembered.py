"""What files say, kept between commands: to read half a megabyte of YAML takes a second, JSON takes no time."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_PREFIX: Final = "rules-"


def base_folder(variable: str, fallback: str) -> Path:
    """A folder of the user's as the XDG Base Directory Specification has it, npu-launch's own in it.

    `variable` (XDG_CACHE_HOME) counts where it is an absolute path, else it is `fallback` (.cache) in the home folder.
    """
    given = Path(os.environ.get(variable, ""))
    return (given if given.is_absolute() else Path.home() / fallback) / "npu-launch"


def recall(texts: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What was kept when files with these texts were read last; None where nothing was."""
    try:
        found = json.loads(_place(texts).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def remember(texts: Mapping[str, str], said: Mapping[str, Any]) -> None:
    """Keep what files with these texts say, and nothing that others said; where that is not possible, keep nothing."""
    place = _place(texts)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as file:
            json.dump(said, file, ensure_ascii=False)
        for old in place.parent.glob(f"{_PREFIX}*.json"):
            old.unlink(missing_ok=True)
        Path(file.name).replace(place)
    except OSError:
        return


def _place(texts: Mapping[str, str]) -> Path:
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()
    return base_folder("XDG_CACHE_HOME", ".cache") / f"{_PREFIX}{digest[:32]}.json"
