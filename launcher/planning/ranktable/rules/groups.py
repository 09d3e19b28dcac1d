"""The legacy forms, which have groups of instances."""

from __future__ import annotations

from launcher.planning.ranktable.rules.rule import OLD, PARA, PARSER, STANDARD, refused, warning

COUNT = refused("count", PARA, "{name} is not the number of entries", 'set {name} to "{count}"', STANDARD)
NO_GROUP_NAME = warning(
    "no-group-name",
    "the guide says that group_name may be left out, and the open parser does not start without",
    'add "group_name": "hccl_world_group"',
    STANDARD,
)
POD_NAME_REPEATED = refused(
    "pod-name-repeated", OLD, "The IP is used repeatedly.", "give each instance a pod_name of its own", PARSER
)
NIC_LOCATION = refused(
    "nic-location",
    PARA,
    "paraPlaneLocation should be 'device'",
    'set para_plane_nic_location to "device"',
    STANDARD,
)
AVERAGE = refused(
    "devices-per-server",
    PARA,
    "device / server is invalid, uDeviceNum[{devices}], uServerNum[{servers}]",
    "use 1, 2, 4, 8 or 16 devices on each server",
    PARSER,
)
ONE_DEVICE = refused(
    "devices-per-instance", PARA, "an instance of the lab form is one rank", "list one device in each", STANDARD
)
