"""Where the processes that keep a run write what they notice."""

from __future__ import annotations

import logging
from pathlib import Path


def log_to(path: Path) -> None:
    """Append this process's warnings and errors to a file, with time and process."""
    logging.basicConfig(
        filename=path,
        level=logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
        force=True,
    )
