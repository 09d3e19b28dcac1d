"""Looks at a Ray that somebody else keeps: whether it is one for us, and which hosts are in it.

Run as `python -m launcher.supervise.on_ray.look ADDRESS`, on any host; it prints a JSON list of addresses. Unlike a
driver it needs no node of that Ray on this host: `ray.init` hangs where there is none.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from ray._common.usage import usage_lib
from ray._private.state import GlobalState
from ray._private.utils import check_version_info
from ray._raylet import GcsClient, GcsClientOptions  # type: ignore[attr-defined]

from launcher.supervise.on_ray.remote import answers


def main() -> None:
    """Entry point: ADDRESS."""
    address, told = sys.argv[1], answers()
    logging.disable(logging.WARNING)
    check_version_info(usage_lib.get_cluster_metadata(GcsClient(address=address)), "this host")
    state: Any = GlobalState()  # type: ignore[no-untyped-call]
    options = GcsClientOptions.create(address, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    state._initialize_global_state(options)
    print(json.dumps(sorted(node["NodeManagerAddress"] for node in state.node_table() if node["Alive"])), file=told)


if __name__ == "__main__":
    main()
