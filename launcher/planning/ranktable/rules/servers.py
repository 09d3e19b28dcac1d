"""Servers, and the super pods of 1.2."""

from __future__ import annotations

from launcher.planning.ranktable.rules.rule import (
    BOTH,
    CONCISE,
    FAULTS,
    GUIDE,
    NEW,
    OLD,
    PARA,
    PARSER,
    refused,
    warning,
)

SERVER_COUNT = refused(
    "server-count", BOTH, "The 'server_count' in ranktable is invalid.", 'set server_count to "{count}"', CONCISE
)
NO_SERVER_COUNT = warning(
    "no-server-count",
    "The 'server_count' in ranktable is not found, set server_count to server_list size",
    'add "server_count": "{count}"',
    CONCISE,
)
SERVER_ID = refused(
    "server-id",
    PARA,
    "serverId[{value}] is empty or too long",
    "name the server with 1 to 64 bytes, such as its address",
    CONCISE,
)
SERVER_ALIKE = warning(
    "server-alike",
    "HCCL takes these for two servers: it compares the texts as they are written",
    "if they are one server, list all its devices in one entry",
    PARSER,
)
SERVER_REPEATED = refused(
    "server-repeated",
    OLD,
    "The IP is used repeatedly.",
    "list all devices of a server in one entry, and each server once",
    PARSER,
)
HOST_IP = refused("host-ip", OLD, "The ips in ranktable is invalid", "write the IPv4 address of the host", PARSER)
HOST_IP_FAMILY = warning("host-ip-family", "host_ip has to be IPv4", "write the IPv4 address of the host", GUIDE)
HOST_NETWORK = warning(
    "host-network",
    "with a host_ip and no device_ip on rank 0, HCCL uses the network cards of the hosts",
    "add a device_ip to each device, or remove host_ip",
    CONCISE,
)
SDID = refused(
    "super-device-id",
    BOTH,
    "super_device_id[{value}] is invalid",
    "write the SDID that `npu-smi info -t spod-info -i ID -c CHIP` prints",
    f"{FAULTS}, rank_table_load_fail",
)
SDID_MISSING = refused(
    "super-device-id-missing",
    PARA,
    "superDeviceId[0xffffffff] or superPod[] in rank[{rank}] is invalid",
    "add the SDID that `npu-smi info -t spod-info -i ID -c CHIP` prints",
    CONCISE,
)
SDID_REPEATED = refused(
    "super-device-id-repeated",
    NEW,
    "devices have same superDeviceId[{value}] in superPod[{pod}]",
    "compare with `npu-smi info -t spod-info -i ID -c CHIP`; look at HCCL_LOGIC_SUPERPOD_ID as well",
    f"{FAULTS}, cluster_info_verify_fail",
)
POD_ID = refused(
    "super-pod-id",
    BOTH,
    "the 'super_pod_id' in the ranktable is invalid or empty",
    "name the super pod, for instance by the Super Pod ID of `npu-smi info -t spod-info -i ID -c CHIP`",
    CONCISE,
)
POD_REPEATED = refused(
    "super-pod-repeated", OLD, "The IP is used repeatedly.", "list all servers of a super pod in one entry", PARSER
)
POD_SERVER_UNKNOWN = refused(
    "super-pod-server-unknown",
    BOTH,
    "the 'server_id' in the ranktable 'super_pod_list' is invalid or not found in server_list",
    "write the server_id as server_list has it, or add the server there",
    CONCISE,
)
POD_SERVER_TWICE = warning(
    "super-pod-server-twice", "of two super pods of a server the last one counts", "list each server once", CONCISE
)
POD_TOTAL = refused(
    "super-pod-total",
    PARA,
    "serverNum[{listed}] in super_pod_list and serverNum[{servers}] in server_list are inconsistent",
    "add the server to its super pod",
    CONCISE,
)
POD_MIXED = refused(
    "super-pods-mixed",
    (),
    "the servers of one super pod have to stand together, one super pod after the other",
    "reorder server_list by super pod",
    GUIDE,
)
POD_UNEVEN = warning(
    "super-pods-uneven",
    "as many servers in each super pod, and as many devices on each server, are recommended",
    "use as many servers of each super pod",
    "Ascend TensorFlow migration guide, 8.5",
)
NO_PODS = warning(
    "no-super-pods",
    "without super_pod_list HCCL uses AI server mode, as with version 1.0",
    'add it, and super_device_id to each device, or set version to "1.0"',
    GUIDE,
)
PODS_UNREAD = warning(
    "super-pods-unread",
    "HCCL reads super pods only in version 1.2",
    'set version to "1.2", or remove super_pod_list',
    CONCISE,
)
