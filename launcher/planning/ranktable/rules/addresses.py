"""Addresses and ports of devices."""

from __future__ import annotations

from launcher.planning.ranktable.rules.rule import (
    BOTH,
    CONCISE,
    CONFIG,
    FAULTS,
    GUIDE,
    OLD,
    PARA,
    PARSER,
    refused,
    warning,
)

IP_INVALID = refused(
    "ip-invalid",
    OLD,
    "The ip in ranktable is not a valid ip address",
    "write what `hccn_tool -i N -ip -g` prints for that device",
    PARSER,
)
IP_UNUSABLE = warning(
    "ip-unusable",
    "no other device reaches this address",
    "write what `hccn_tool -i N -ip -g` prints for that device",
    "RFC 6890",
)
IP_REPEATED = refused(
    "ip-repeated",
    OLD,
    "The IP is used repeatedly.",
    "compare with `hccn_tool -i N -ip -g` of each device, and give each an address of its own",
    PARSER,
)
IP_MISSING = refused(
    "ip-missing",
    BOTH,
    "The 'device_ip' in ranktable is not set or is not a valid ip address.",
    "add what `hccn_tool -i N -ip -g` prints for that device: HCCL needs it {between}",
    CONCISE,
)
IP_MISSING_IN_POD = warning(
    "ip-missing-in-super-pod",
    "inside one super pod device_ip may be left out, unless HCCL_INTER_HCCS_DISABLE is TRUE",
    "add what `hccn_tool -i N -ip -g` prints for each device",
    GUIDE,
)
IP_PARTIAL = warning(
    "ip-partial",
    "some devices have a device_ip and others have none",
    "add what `hccn_tool -i N -ip -g` prints for that device",
    GUIDE,
)
IP_COUNT = refused(
    "ip-count",
    PARA,
    "device[{rank}] size[{count}] neq first device size[{first}] error",
    "list as many addresses for each device",
    CONCISE,
)
IP_FAMILY = refused(
    "ip-family",
    ("EI0001",),
    "rank[{rank}] device ip family[{own}] is not same as others[{others}].",
    "use IPv4 on all devices or IPv6 on all (`hccn_tool -i N -ip -g`, `hccn_tool -i N -ip -inet6 -g`)",
    f"{FAULTS}, cluster_info_verify_fail",
)
IP_FAMILY_ONE_SERVER = warning(
    "ip-family-on-one-server",
    "HCCL compares the families only between servers",
    "use IPv4 on all devices or IPv6 on all",
    CONFIG,
)
PORT = refused(
    "port",
    PARA,
    "port number[{value}] is not from 1 to 65535",
    "write a port from 1024 to 65535; without {name}, HCCL takes 16666",
    CONCISE,
)
SYSTEM_PORT = warning(
    "system-port", "ports 1 to 1023 are reserved for the system", "write a port from 1024 to 65535", GUIDE
)
HOST_PORT_REPEATED = warning(
    "host-port-repeated",
    "each device of a server must have a host_port of its own",
    "give it a port that no other device of the server has",
    GUIDE,
)
BACKUP_OWN = refused(
    "backup-is-own-address",
    PARA,
    "Please do not use self ip as backup ip!",
    "write the address of the other die of the same NPU",
    CONCISE,
)
BACKUP_NOT_PAIR = refused(
    "backup-of-another-npu",
    PARA,
    "link between device phyId[{device}] and backup device phyId[{backup}] is not sio link",
    "write the address of device {pair}, the other die of the same NPU",
    CONCISE,
)
BACKUP_UNKNOWN = warning(
    "backup-not-in-table",
    "Backup devIp[{value}] is not in this comm. Please notice it might be an invalid backup ip!",
    "write the address of the other die of the same NPU",
    CONCISE,
)
BACKUP_PORT = refused(
    "backup-port",
    PARA,
    "backup device port[{value}] should not be the same with device port[{value}]",
    "give the address another port in its role as a backup",
    CONCISE,
)
