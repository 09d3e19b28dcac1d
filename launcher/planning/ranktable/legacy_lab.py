"""The legacy table of laboratories ("lab" form, no `version`): an instance a rank, with its number.

MindSpore 0.x and TensorFlow used it (cann-hccl, topoinfo_ranktableStandard.cc).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from launcher.planning.placement import Seat
from launcher.planning.ranktable import rules
from launcher.planning.ranktable.addresses import split_ips
from launcher.planning.ranktable.concise import by_server
from launcher.planning.ranktable.entry import Entry, RankEntry, Table, items, number, text
from launcher.planning.ranktable.legacy import InstanceDevice, check_count, check_group, check_number, instance_device
from launcher.planning.ranktable.violation import Findings, shown

ARM_BOARD: Final = "0x0020"
X86_BOARD: Final = "0x0000"
_PER_SERVER: Final = (1, 2, 4, 8, 16)


class Instance(Entry):
    """A rank and its device."""

    devices: tuple[InstanceDevice, ...]
    rank_id: str
    server_id: str


class Plane(Entry):
    """A server's own network cards; only where `para_plane_nic_location` is `host`, which HCCL refuses now."""

    server_id: str
    para_plane_info: tuple[dict[str, str], ...]


class Group(Entry):
    """The ranks of a group; there is one."""

    device_num: str
    server_num: str
    group_name: str | None = None
    instance_count: str
    instance_list: tuple[Instance, ...]
    server_list: tuple[Plane, ...] | None = None


class RankTable(Table):
    """The whole table."""

    board_id: str | None = None
    chip_info: str | None = None
    deploy_mode: str
    group_count: str
    group_list: tuple[Group, ...]
    para_plane_nic_location: str
    para_plane_nic_name: tuple[str, ...] | None = None
    para_plane_nic_num: str | None = None
    status: str


def rank_table(seats: Sequence[Seat], board: str = ARM_BOARD) -> RankTable:
    """The table of these seats, which are in rank order."""
    servers = by_server(seats)
    nics = max(len(own) for own in servers.values())
    group = Group(
        device_num=str(len(seats)),
        server_num=str(len(servers)),
        group_name="",
        instance_count=str(len(seats)),
        instance_list=tuple(
            Instance(devices=(instance_device(seat),), rank_id=str(seat.rank), server_id=seat.host.machine)
            for seat in seats
        ),
    )
    return RankTable(
        board_id=board,
        chip_info="910",
        deploy_mode="lab",
        group_count="1",
        group_list=(group,),
        para_plane_nic_location="device",
        para_plane_nic_name=tuple(f"eth{number}" for number in range(nics)),
        para_plane_nic_num=str(nics),
        status="completed",
    )


def entries(values: dict[str, Any]) -> Iterator[RankEntry]:
    """The ranks, in the order of the file."""
    for group_at, group in items(values, "group_list"):
        for instance_at, instance in items(group, "instance_list", group_at):
            for at, device in items(instance, "devices", instance_at):
                yield RankEntry(
                    at=at,
                    rank_at=(*instance_at, "rank_id"),
                    rank_written=instance.get("rank_id"),
                    rank=number(instance.get("rank_id")),
                    server=text(instance.get("server_id")),
                    device=number(device.get("device_id")),
                    ips=split_ips(device.get("device_ip")),
                    values=device,
                )


def check(values: dict[str, Any], found: Findings) -> None:
    """Report what this form wants beyond what all want."""
    check_count(("group_count",), values, "group_list", found)
    location = text(values.get("para_plane_nic_location"))
    if location is not None and location != "device":
        seen = f"para_plane_nic_location is {shown(location)}"
        found.add(rules.groups.NIC_LOCATION, ("para_plane_nic_location",), seen)
    for at, group in items(values, "group_list"):
        check_count((*at, "instance_count"), group, "instance_list", found)
        instances = list(items(group, "instance_list", at))
        devices = [device for instance_at, instance in instances for device in items(instance, "devices", instance_at)]
        check_number((*at, "device_num"), group, len(instances), found)
        check_group(at, group, devices, found)
        servers = {instance.get("server_id") for _, instance in instances if text(instance.get("server_id"))}
        check_number((*at, "server_num"), group, len(servers), found)
        if servers and (len(instances) % len(servers) or len(instances) // len(servers) not in _PER_SERVER):
            seen = f"{len(instances)} devices on {len(servers)} servers"
            found.add(rules.groups.AVERAGE, at, seen, devices=len(instances), servers=len(servers))
        for instance_at, instance in instances:
            own = instance.get("devices")
            if isinstance(own, list) and len(own) != 1:
                found.add(rules.groups.ONE_DEVICE, (*instance_at, "devices"), f"{len(own)} devices in one instance")
