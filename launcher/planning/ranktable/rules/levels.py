"""Version 2.0, whose ranks have network layers."""

from __future__ import annotations

from launcher.planning.ranktable.rules.rule import GUIDE, NEW, refused, warning

RANK_COUNT = refused("rank-count", NEW, "rank_count is not the number of ranks", "set rank_count to {count}", GUIDE)
RANGE = refused("range", NEW, "{name} must be from {least} to {most}", "write {least} to {most}", GUIDE)
LENGTH = refused("length", NEW, "{name} must have {least} to {most} {unit}", "write {least} to {most} {unit}", GUIDE)
CHOICE = refused("choice", NEW, "{name} must be {expected}", "write {expected}", GUIDE)
BACKUP_NPU = refused(
    "backup-npu",
    NEW,
    "local_id 64 is the backup NPU: one at most, with the replaced_local_id of an NPU that has no rank",
    "say with replaced_local_id which NPU it stands in for, and leave that one out",
    "cann/hcomm, rank_table_info",
)
REPLACED = refused(
    "replaced-local-id",
    NEW,
    "replacedLocalId not equal to localId",
    "remove replaced_local_id: only the backup NPU, local_id 64, has one",
    "cann/hcomm, rank_table_info",
)
LAYER_ORDER = refused(
    "layer-order", NEW, "net_layer starts from 0 and ascends", "list the layers in ascending order", GUIDE
)
LEVEL_ADDRESS = refused("level-address", NEW, "addr is no {kind} address", "write {form}, or change addr_type", GUIDE)
ADDRESS_TYPE = warning(
    "address-type-in-small-letters",
    "the guide writes IPv4 and IPv6, and the open parser takes capitals only",
    "write {kind}",
    "cann/hcomm, address_info",
)
BACKUP_ADDRESS = refused(
    "backup-address",
    NEW,
    "invalid {kind} backup_addr",
    "write IPv4 addresses beside IPV4 and IPv6 addresses beside IPV6; an EID has none",
    "cann/hcomm, address_info",
)
LEVEL_PORT = refused("level-port", NEW, "a port is written as die/port, as in 0/4", "write texts such as 0/4", GUIDE)
LEVEL_PORT_REPEATED = refused(
    "level-port-repeated", NEW, "a port has one address in a layer", "name the port at one address only", GUIDE
)
LEVEL_UNEVEN = refused(
    "level-uneven",
    NEW,
    "ranks that share a net_layer and net_instance_id must have as many addresses there",
    "list as many addresses for each of these ranks",
    "cann/hcomm, rank_table_info",
)
