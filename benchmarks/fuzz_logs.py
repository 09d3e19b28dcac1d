"""Gives logs and archives that no program would write to what reads them, until time is over or something breaks."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.logs.fuzzing import fuzz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000_000)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    for check, examples in fuzz(options.seconds, options.seed).items():
        print(f"{examples:>9,} inputs  {check.replace('_', ' ')}")


if __name__ == "__main__":
    main()
