"""Which format of rank table a cluster needs, and the table of a job in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Final

from pydantic import Discriminator, Tag

from launcher.errors import PlanError
from launcher.planning.placement import Seat
from launcher.planning.ranktable import legacy, legacy_lab, v1_0, v1_2, v2_0
from launcher.specs import Cluster
from launcher.specs.soc import Family, family_of


class TableFormat(str, Enum):
    """A format of rank table, and `auto`: the one that the chip needs."""

    AUTO = "auto"
    V1_0 = "1.0"
    V1_2 = "1.2"
    V2_0 = "2.0"
    LEGACY = "legacy"
    LEGACY_LAB = "legacy-lab"


def format_of(table: Any) -> TableFormat | None:
    """The format of a table, or of the values of one; None for a version that is no training job's."""
    known = set(table) if isinstance(table, dict) else set(type(table).model_fields)
    if "version" not in known:
        return TableFormat.LEGACY_LAB if "deploy_mode" in known else TableFormat.LEGACY
    version = table["version"] if isinstance(table, dict) else table.version
    formats = (TableFormat.V1_0, TableFormat.V1_2, TableFormat.V2_0)
    return next((each for each in formats if version == each.value), None)


RankTable = Annotated[
    Annotated[v1_0.RankTable, Tag(TableFormat.V1_0)]
    | Annotated[v1_2.RankTable, Tag(TableFormat.V1_2)]
    | Annotated[v2_0.RankTable, Tag(TableFormat.V2_0)]
    | Annotated[legacy.RankTable, Tag(TableFormat.LEGACY)]
    | Annotated[legacy_lab.RankTable, Tag(TableFormat.LEGACY_LAB)],
    Discriminator(format_of),
]


@dataclass(frozen=True)
class Choice:
    """A format, and the reason for it as a sentence."""

    format: TableFormat
    reason: str


FITTING: Final = {
    Family.ASCEND910: (TableFormat.V1_0, TableFormat.LEGACY, TableFormat.LEGACY_LAB),
    Family.ASCEND910B: (TableFormat.V1_0,),
    Family.ASCEND910_93: (TableFormat.V1_0, TableFormat.V1_2),
    Family.ASCEND310: (TableFormat.V1_0,),
    Family.ASCEND310P: (TableFormat.V1_0,),
    Family.ASCEND310B: (TableFormat.V1_0,),
    Family.ASCEND950: (TableFormat.V2_0,),
}


def choose_format(seats: Sequence[Seat], cluster: Cluster, wanted: str = TableFormat.AUTO) -> Choice:
    """The format to write: what was asked for, when it fits the chip, or what the chip needs.

    Raises PlanError when what was asked for does not fit, or when only a part of the devices is in a super pod.
    """
    family = family_of(cluster.soc)
    fitting = FITTING.get(family) if family else None
    asked = TableFormat(wanted)
    if fitting is None and asked is TableFormat.AUTO:
        raise PlanError(
            f"no rank table is known for {cluster.soc}",
            where=str(cluster.source or f"cluster {cluster.name}"),
            expected="an Ascend 910, 910B, 910_93 or 950" if cluster.is_cpu else "a chip that npu-launch knows",
            remedy="" if cluster.is_cpu else "say which rank table it needs: 1.0, 1.2 or 2.0",
        )
    if asked is not TableFormat.AUTO:
        if fitting is not None and asked not in fitting:
            raise PlanError(
                f"rank table {asked.value} does not fit {cluster.soc}: {_MISFIT[asked]}",
                where=str(cluster.source or f"cluster {cluster.name}"),
                expected=" or ".join(each.value for each in fitting),
                remedy="leave it to auto",
            )
        if asked is TableFormat.V1_2:
            _refuse_missing_pods(seats, cluster)
        return Choice(asked, "as asked for")
    if family is Family.ASCEND950:
        return Choice(TableFormat.V2_0, f"{cluster.soc} is read from rank table 2.0 only")
    if family is Family.ASCEND910_93 and any(_in_pod(seat) for seat in seats):
        _refuse_missing_pods(seats, cluster)
        return Choice(TableFormat.V1_2, f"{cluster.soc} in super pods, which the cluster names")
    if family is Family.ASCEND910_93:
        return Choice(TableFormat.V1_0, f"{cluster.soc} in AI server mode: the cluster names no super pods")
    return Choice(TableFormat.V1_0, f"{cluster.soc} is read from rank table 1.0")


_MISFIT: Final = {
    TableFormat.V1_0: "Ascend 950 is read from 2.0 only",
    TableFormat.V1_2: "it is for super pods of Ascend 910_93",
    TableFormat.V2_0: "it is for Ascend 950",
    TableFormat.LEGACY: "it is for the first Ascend 910",
    TableFormat.LEGACY_LAB: "it is for the first Ascend 910",
}


def _in_pod(seat: Seat) -> bool:
    return seat.host.super_pod is not None or seat.device.super_device_id is not None


def _refuse_missing_pods(seats: Sequence[Seat], cluster: Cluster) -> None:
    for seat in seats:
        host, device = seat.host, seat.device
        if host.super_pod is None or device.super_device_id is None:
            lacks = "super_pod" if host.super_pod is None else f"super_device_id on device {device.id}"
            raise PlanError(
                f"host {host.name} has no {lacks}, which rank table 1.2 needs of every device",
                where=str(cluster.source or f"cluster {cluster.name}"),
                expected="super_pod on each host and super_device_id on each device, or neither",
                remedy="add what `npu-smi info -t spod-info -i ID -c CHIP` prints (Super Pod ID and SDID)",
            )


def rank_table(seats: Sequence[Seat], cluster: Cluster, wanted: str = TableFormat.AUTO) -> RankTable:
    """The table of a job: `seats` in rank order, in the wanted format.

    Raises PlanError when the format does not fit the cluster, or the cluster lacks what the format needs.
    """
    chosen = choose_format(seats, cluster, wanted).format
    if chosen is TableFormat.V1_0:
        return v1_0.rank_table(seats, family_of(cluster.soc))
    if chosen is TableFormat.V1_2:
        return v1_2.rank_table(seats)
    if chosen is TableFormat.LEGACY:
        return legacy.rank_table(seats)
    if chosen is TableFormat.LEGACY_LAB:
        is_x86 = (cluster.server or "").startswith("atlas-800-9010")
        return legacy_lab.rank_table(seats, legacy_lab.X86_BOARD if is_x86 else legacy_lab.ARM_BOARD)
    _refuse_missing_levels(seats, cluster)
    return v2_0.rank_table(seats)


def _refuse_missing_levels(seats: Sequence[Seat], cluster: Cluster) -> None:
    lacking = next((seat for seat in seats if not seat.device.levels), None)
    if lacking is not None:
        raise PlanError(
            f"device {lacking.device.id} of host {lacking.host.name} has no levels, which rank table 2.0 needs",
            where=str(cluster.source or f"cluster {cluster.name}"),
            expected="levels on each device: net_layer, net_instance_id, net_type, addresses",
            remedy="take them from the table that ascend-operator or your administrator wrote",
        )
