"""Captured answers of the tools, and what reads each of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from launcher.hosts.reading import hccn_tool, npu_smi_fields
from launcher.hosts.reading.hccn_conf import read_hccn_conf
from launcher.hosts.reading.npu_smi_info import read_info
from launcher.hosts.reading.npu_smi_mapping import read_list, read_mapping
from launcher.hosts.reading.npu_smi_topology import read_topology
from launcher.hosts.reading.versions import read_version

CAPTURES = Path(__file__).parents[2] / "captures"


def sample(name: str) -> str:
    """The text of a capture, such as npu_smi/list_910A.txt."""
    return (CAPTURES / name).read_text(encoding="utf-8")


_BY_BEGINNING: dict[str, Callable[[str], Any]] = {
    "npu_smi/info_": read_info,
    "npu_smi/mapping_": read_mapping,
    "npu_smi/list_": read_list,
    "npu_smi/usages_": partial(npu_smi_fields.read_chips, source="usages"),
    "npu_smi/memory_": partial(npu_smi_fields.read_chips, source="memory"),
    "npu_smi/common_": partial(npu_smi_fields.read_chips, source="common"),
    "npu_smi/health_": npu_smi_fields.read_health,
    "npu_smi/board_": npu_smi_fields.read_board,
    "npu_smi/product": npu_smi_fields.read_product,
    "npu_smi/super_pod": npu_smi_fields.read_super_pod,
    "npu_smi/topology_": read_topology,
    "npu_smi/wrong_id": npu_smi_fields.read_board,
    "hccn_tool/ip": hccn_tool.read_ip,
    "hccn_tool/link_": hccn_tool.read_link,
    "hccn_tool/net_health": hccn_tool.read_net_health,
    "hccn_tool/tls": hccn_tool.read_tls,
    "hccn_tool/optical": hccn_tool.read_optical,
    "ascend_files/hccn.conf": read_hccn_conf,
    "ascend_files/driver_version": partial(read_version, path="/version.info"),
    "ascend_files/firmware_version": partial(read_version, path="/version.info"),
    "ascend_files/ascend_": partial(read_version, path="/install.info"),
}

# Every capture with its reader: one that no reader is named for is a mistake of this file.
READERS = {
    name: next(reader for beginning, reader in _BY_BEGINNING.items() if name.startswith(beginning))
    for name in sorted(
        str(path.relative_to(CAPTURES))
        for folder in ("npu_smi", "hccn_tool", "ascend_files")
        for path in (CAPTURES / folder).iterdir()
    )
}
