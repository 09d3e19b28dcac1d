"""The legacy table of containers ("cloud" form, no `version`): HCCL numbers the ranks itself.

It sorts by server, then by device, and finds a process by its `pod_name`, which is its RANK_ID, and its device
(cann-hccl, topoinfo_ranktableStandard.cc). As each rank has a RANK_ID of its own, each is an instance here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from launcher.errors import PlanError
from launcher.planning.placement import Seat
from launcher.planning.ranktable import rules
from launcher.planning.ranktable.addresses import split_ips
from launcher.planning.ranktable.concise import by_server
from launcher.planning.ranktable.entry import Entry, RankEntry, Table, items, number, text
from launcher.planning.ranktable.violation import Findings, Path, shown

GROUP = "hccl_world_group"


class InstanceDevice(Entry):
    """A device of an instance."""

    device_id: str
    device_ip: str | None = None


class Instance(Entry):
    """A pod and its devices."""

    pod_name: str
    server_id: str
    devices: tuple[InstanceDevice, ...]


class Group(Entry):
    """The instances of a group; there is one."""

    group_name: str | None = None
    instance_count: str
    device_count: str
    instance_list: tuple[Instance, ...]


class RankTable(Table):
    """The whole table."""

    status: str
    group_count: str
    group_list: tuple[Group, ...]


def rank_table(seats: Sequence[Seat]) -> RankTable:
    """The table of these seats, which are in rank order.

    Raises PlanError when HCCL would number the ranks otherwise.
    """
    order = sorted(seats, key=lambda seat: (seat.host.machine, seat.device.id))
    if [seat.rank for seat in order] != [seat.rank for seat in seats]:
        raise PlanError(
            "with the legacy rank table HCCL numbers the ranks in the order of server_id as a text, and of device id",
            expected=f"hosts in the order {', '.join(sorted(by_server(seats))[:5])}",
            remedy="reorder the hosts of the cluster, or ask for rank table 1.0",
        )
    group = Group(
        group_name=GROUP,
        instance_count=str(len(seats)),
        device_count=str(len(seats)),
        instance_list=tuple(
            Instance(
                pod_name=str(seat.rank),
                server_id=seat.host.machine,
                devices=(instance_device(seat),),
            )
            for seat in seats
        ),
    )
    return RankTable(status="completed", group_count="1", group_list=(group,))


def instance_device(seat: Seat) -> InstanceDevice:
    """The device of a seat. The parser wants the key of the address, though not an address."""
    return InstanceDevice(device_id=str(seat.device.id), device_ip=seat.device.ip or "")


def entries(values: dict[str, Any]) -> Iterator[RankEntry]:
    """The ranks as HCCL numbers them, in their order."""
    devices = [
        (at, instance, device)
        for group_at, group in items(values, "group_list")
        for instance_at, instance in items(group, "instance_list", group_at)
        for at, device in items(instance, "devices", instance_at)
    ]
    devices.sort(key=lambda each: (text(each[1].get("server_id")) or "", number(each[2].get("device_id")) or 0))
    for rank, (at, instance, device) in enumerate(devices):
        yield RankEntry(
            at=at,
            rank_at=at,
            rank_written=rank,
            rank=rank,
            server=text(instance.get("server_id")),
            device=number(device.get("device_id")),
            ips=split_ips(device.get("device_ip")),
            values=device,
        )


def check(values: dict[str, Any], found: Findings) -> None:
    """Report what this form wants beyond what all want."""
    check_count(("group_count",), values, "group_list", found)
    pods: dict[str, Path] = {}
    for at, group in items(values, "group_list"):
        check_count((*at, "instance_count"), group, "instance_list", found)
        instances = list(items(group, "instance_list", at))
        devices = [device for instance_at, instance in instances for device in items(instance, "devices", instance_at)]
        check_number((*at, "device_count"), group, len(devices), found)
        check_group(at, group, devices if len(instances) > 1 else [], found)
        for instance_at, instance in instances:
            name = text(instance.get("pod_name"))
            if name is not None and pods.setdefault(name, instance_at) != instance_at:
                found.add(rules.groups.POD_NAME_REPEATED, (*instance_at, "pod_name"), f"pod_name {shown(name)} again")


def check_group(
    at: Path, group: dict[str, Any], devices: Sequence[tuple[Path, dict[str, Any]]], found: Findings
) -> None:
    """Report a group without a name, and devices without the key of the address, which may be empty."""
    if "group_name" not in group:
        found.add(rules.groups.NO_GROUP_NAME, at, "no group_name")
    for device_at, device in devices:
        if "device_ip" not in device:
            found.add(rules.form.MISSING_KEY, (*device_at, "device_ip"), "no device_ip", name="device_ip")


def check_count(at: Path, owner: dict[str, Any], of: str, found: Findings) -> None:
    """Report a count that is not the length of its list, and a list that is empty."""
    members = owner.get(of)
    if not isinstance(members, list):
        return
    if not members:
        found.add(rules.form.EMPTY_LIST, (*at[:-1], of), f"{of} is empty", name=of)
    check_number(at, owner, len(members), found)


def check_number(at: Path, owner: dict[str, Any], count: int, found: Findings) -> None:
    """Report a count that is not what was counted."""
    written = text(owner.get(str(at[-1])))
    if written is not None and number(written) != count:
        seen = f"{at[-1]} is {shown(written)}, and there are {count}"
        found.add(rules.groups.COUNT, at, seen, name=at[-1], count=count)
