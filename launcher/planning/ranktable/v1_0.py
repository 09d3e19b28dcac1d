"""Rank table version 1.0, for Ascend 910, 910B and 910_93 without super pods.

Every scalar is a JSON string: HCCL's parser refuses numbers (cann-hccl, topoinfo_ranktableConcise.cc). The keys are
those of the HCCL user guide, cluster_info_config, and `host_nic_ip` is there as MindSpore's samples have it
(mindspore-ai/docs, rank_table.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Literal

from pydantic import BaseModel, ConfigDict

from launcher.planning.placement import Seat


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class TableDevice(_Entry):
    """A device and the rank that has it."""

    device_id: str
    device_ip: str | None = None
    rank_id: str


class TableServer(_Entry):
    """A server and its devices in use."""

    server_id: str
    host_nic_ip: Literal["reserve"] = "reserve"
    device: tuple[TableDevice, ...]


class RankTable(_Entry):
    """The whole table; `to_json` is the file."""

    status: Literal["completed"] = "completed"
    version: Literal["1.0"] = "1.0"
    server_count: str
    server_list: tuple[TableServer, ...]

    def to_json(self) -> str:
        """The file's text: byte for byte the same for equal tables; a device without an address has no `device_ip`."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"


def rank_table(seats: Iterable[Seat]) -> RankTable:
    """The table of these seats, which are in rank order and host by host."""
    servers = tuple(
        TableServer(
            server_id=address,
            device=tuple(
                TableDevice(device_id=str(seat.device.id), device_ip=seat.device.ip, rank_id=str(seat.rank))
                for seat in on_host
            ),
        )
        for address, on_host in groupby(seats, key=lambda seat: seat.host.address)
    )
    return RankTable(server_count=str(len(servers)), server_list=servers)
