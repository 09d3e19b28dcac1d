"""Run as `python -m launcher.supervise.on_ray.enlist RUN_DIRECTORY ADDRESS`: hands a run to Ray, and ends."""

from __future__ import annotations

import sys
from pathlib import Path

from launcher.runs.store import RunDirectory
from launcher.supervise.on_ray.actors import enlist


def main() -> None:
    """Entry point."""
    run_directory, address = sys.argv[1:]
    enlist(RunDirectory(Path(run_directory)), address)


if __name__ == "__main__":
    main()
