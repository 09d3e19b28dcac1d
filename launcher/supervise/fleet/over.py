"""Tells which runs are over as far as their record here goes.

Run there as `python -m launcher.supervise.fleet.over RUN...`. It answers with one line of JSON, `{"over": [RUN, ...]}`.
"""

from __future__ import annotations

import json
import sys

from launcher.runs.store import RunDirectory, home


def main() -> None:
    """Entry point: RUN..."""
    runs = [RunDirectory(home() / "runs" / name) for name in sys.argv[1:]]
    print(
        json.dumps({"over": [run.id for run in runs if run.layout.events.exists() and run.state().ended is not None]})
    )


if __name__ == "__main__":
    main()
