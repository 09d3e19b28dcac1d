"""Makes a site by hand: `python -m tests.site DIR --hosts 2 --chip 910B3`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Make a site, or build one host anew (`--build`, which the tools do themselves when state.json is newer)."""
    from tests.site.chips import CHIPS

    parser = argparse.ArgumentParser(prog="python -m tests.site", description="A simulated Ascend site.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the hosts are made, or were")
    parser.add_argument("--hosts", type=int, default=1, choices=range(1, 65), metavar="1..64")
    parser.add_argument("--chip", default="910B3", choices=CHIPS)
    parser.add_argument("--driver", help="decides how npu-smi lays out its table: 20.2.2, 21.0.4, 23.0.7, 26.0.rc1")
    parser.add_argument("--build", action="store_true", help="DIR is a host whose state.json was changed")
    options = parser.parse_args()
    if options.build:
        from tests.site.building import build

        build(options.folder)
        return 0
    from tests.site.simulated import Site

    site = Site(
        options.folder.absolute(), options.hosts, options.chip, **({"driver": options.driver} if options.driver else {})
    )
    for host in site.hosts:
        print(f"{host.name}  {host.state.address}  {host.folder}")
    first = site.hosts[0]
    print(f"\nTo be on {first.name}:\n  export PATH={first.bin}:$PATH NPU_LAUNCH_ROOT={first.root}")
    return 0


sys.exit(main())
