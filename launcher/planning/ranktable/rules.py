"""The catalogue: what HCCL, or who calls it, wants of a rank table, and what it says to one that is otherwise.

Sources: HCCL's parser (cann-hccl, topoinfo_ranktable*.cc and config.cc), whose successor in cann/hcomm reports EI0014
and EI0017 where older releases report EI0004; the HCCL user guide, cluster_info_config (which keys there are) and
fault_diagnosis (captured errors). A rule that no public source says HCCL to enforce is a warning.
"""

from __future__ import annotations

from typing import Final

from launcher.planning.ranktable.violation import Rule
from launcher.planning.topology import Severity

_PARSER: Final = "cann-hccl, topoinfo_ranktableParser.cc"
_CONCISE: Final = "cann-hccl, topoinfo_ranktableConcise.cc"
_STANDARD: Final = "cann-hccl, topoinfo_ranktableStandard.cc"
_CONFIG: Final = "cann-hccl, config.cc"
_GUIDE: Final = "HCCL user guide, cluster_info_config"
_FAULTS: Final = "HCCL user guide, fault_diagnosis"
_MINDSPORE: Final = "mindspore-ai/docs, rank_table.md"

_PARA: Final = ("HCCL_E_PARA",)
_OLD: Final = ("EI0004",)
_BOTH: Final = ("EI0004", "EI0014")
_NEW: Final = ("EI0014",)


def _refused(name: str, codes: tuple[str, ...], says: str, remedy: str, source: str) -> Rule:
    return Rule(name, Severity.REFUSED, codes, says, remedy, source)


def _warning(name: str, says: str, remedy: str, source: str) -> Rule:
    return Rule(name, Severity.WARNING, (), says, remedy, source)


# The file.
FILE_MISSING = _refused(
    "file-missing",
    _OLD,
    "path {path} is not a valid real path",
    "check RANK_TABLE_FILE; torch_npu does not complain of a path that is not there, and ignores it",
    f"{_FAULTS}, rank_table_load_fail",
)
FILE_UNREADABLE = _refused(
    "file-unreadable",
    _OLD,
    "path {path} is not a valid real path",
    "{remedy}",
    f"{_FAULTS}, rank_table_load_fail",
)
FILE_NAME = _refused(
    "file-name", ("HCCL_E_INTERNAL",), "path {path} is not a valid .json file", "give it a name in .json", _PARSER
)
FILE_LINK = _warning(
    "file-is-a-link",
    "torch_npu takes no symbolic link as RANK_TABLE_FILE",
    "name the file itself: {target}",
    "Ascend/pytorch, RANK_TABLE_FILE.md",
)
FILE_TOO_LARGE = _refused(
    "file-too-large", (), "a rank table may have at most 1 GB", "check that this is the rank table", _GUIDE
)
NOT_TEXT = _refused("not-text", _OLD, "Invalid ranktable format.", "write the table anew", _PARSER)
NOT_JSON = _refused("not-json", _OLD, "Invalid ranktable format.", "mend the JSON text here", _PARSER)
COMMENT = _refused(
    "comment",
    _OLD,
    "Invalid ranktable format.",
    "remove the comments: those of the guide's samples are not meant to be copied",
    _GUIDE,
)
BYTE_ORDER_MARK = _warning(
    "byte-order-mark",
    "HCCL reads past it, but programs in Python refuse the file",
    "save it as UTF-8 without a byte order mark",
    "RFC 8259, section 8.1",
)
REPEATED_KEY = _warning(
    "repeated-key", "of a key that is given twice the last one counts", "remove one of them", "RFC 8259, section 4"
)
UNKNOWN_KEY = _warning(
    "unknown-key", "no public source knows this key: HCCL does not read it", "{meant}", "HCCL user guide, and others"
)

# What every format has.
SHAPE = _refused("wrong-kind", _PARA, "{expected} is expected here", "write {expected}", _PARSER)
NOT_STRING = _refused(
    "not-a-string",
    _PARA,
    "json object property value of Name[{name}] is not string!",
    "put it in quotes: in this format every number is a text",
    _PARSER,
)
NOT_INTEGER = _refused(
    "not-an-integer", _NEW, "{name} must be a JSON number", "write it without quotes, as a whole number", _GUIDE
)
MISSING_KEY = _refused(
    "missing-key", ("HCCL_E_NOT_FOUND", "EI0017"), "json object has no property called {name}", "add {name}", _PARSER
)
STATUS = _refused(
    "status",
    ("HCCL_E_TIMEOUT",),
    "Load ranktable file timeout[1800]s",
    "wait until whoever writes the table has set status to completed, or set it when the table is whole",
    _PARSER,
)
STATUS_UNREAD = _warning(
    "status-unread",
    "HCCL does not look at the status of version 2.0, but whoever writes the table has not finished",
    "wait until status is completed",
    "cann/hcomm, rank_table_info",
)
VERSION = _refused(
    "version",
    _BOTH,
    "Ranktable version is not supported",
    'set version to "1.0", "1.2" (super pods of A3) or "2.0" (Ascend 950)',
    _CONFIG,
)
VERSION_MISFIT = _refused(
    "version-misfit",
    _BOTH,
    "Ranktable version is not supported",
    "write the table anew, in format {fitting}: npu-launch ranktable CLUSTER",
    _GUIDE,
)
VERSION_UNUSUAL = _warning(
    "version-unusual",
    "the guide has no table of this format for this chip",
    "write the table anew, in format {fitting}: npu-launch ranktable CLUSTER",
    _GUIDE,
)
NO_VERSION = _refused(
    "no-version",
    ("HCCL_E_NOT_FOUND",),
    "json object has no property called group_list",
    'add "version": "1.0" (a table without a version is read as the legacy form, which has a group_list)',
    _CONFIG,
)
EMPTY_LIST = _refused("empty-list", _OLD, "the '{name}' in the ranktable is empty", "list what takes part", _CONCISE)

# Ranks.
RANK_TEXT = _refused(
    "rank-not-a-number", _OLD, "The rankid in ranktable is invalid. Please check ranktable", "write a number", _CONCISE
)
RANK_BEYOND = _refused(
    "rank-beyond-size",
    _BOTH,
    "Use a rank ID that exceeds the rank size in the ranktable.",
    "number the {size} ranks from 0 to {last}",
    _CONCISE,
)
RANK_MISSING = _refused(
    "rank-missing",
    _BOTH,
    "The 'rank_id' in the ranktable must start from 0 or it is used repeatedly",
    "number the {size} ranks from 0 to {last}, leaving none out",
    _CONCISE,
)
RANK_REPEATED = _refused(
    "rank-repeated",
    _BOTH,
    "The 'rank_id' in the ranktable must start from 0 or it is used repeatedly",
    "give each device a rank of its own",
    _CONCISE,
)
INTERLEAVED = _refused(
    "ranks-interleaved",
    (),
    "the ranks of a server must follow each other, as in 0 to 3 and 4 to 7",
    "renumber, one server after the other",
    _GUIDE,
)
SERVER_ORDER = _warning(
    "server-order",
    "MindSpore wants the order of rank_id to follow the dictionary order of server_id",
    "list the servers in the order of their server_id as texts, and number the ranks in it",
    _MINDSPORE,
)

# Devices.
DEVICE_TEXT = _refused(
    "device-not-a-number", _PARA, "device_id[{value}] is invalid", "write the N of /dev/davinciN", _CONCISE
)
DEVICE_BEYOND = _refused(
    "device-beyond-limit",
    _PARA,
    "device_id[{value}] more than {last} is invalid",
    "write the N of /dev/davinciN, from 0 to {last}",
    _CONCISE,
)
DEVICE_REPEATED = _refused(
    "device-repeated",
    _BOTH,
    "device id repeat for one server. Please check ranktable",
    "give each rank a device of its own",
    _CONFIG,
)
DEVICE_SHARED = _warning(
    "device-shared",
    "several ranks share a device, each with a device_port of its own",
    "give each rank a device of its own, unless this is meant",
    _GUIDE,
)

# Addresses of devices.
IP_INVALID = _refused(
    "ip-invalid",
    _OLD,
    "The ip in ranktable is not a valid ip address",
    "write what `hccn_tool -i N -ip -g` prints for that device",
    _PARSER,
)
IP_REPEATED = _refused(
    "ip-repeated",
    _OLD,
    "The IP is used repeatedly.",
    "compare with `hccn_tool -i N -ip -g` of each device, and give each an address of its own",
    _PARSER,
)
IP_MISSING = _refused(
    "ip-missing",
    _OLD,
    "The 'device_ip' in ranktable is not set or is not a valid ip address.",
    "add what `hccn_tool -i N -ip -g` prints for that device: HCCL needs it {between}",
    _CONCISE,
)
IP_MISSING_IN_POD = _warning(
    "ip-missing-in-super-pod",
    "inside one super pod device_ip may be left out, unless HCCL_INTER_HCCS_DISABLE is TRUE",
    "add what `hccn_tool -i N -ip -g` prints for each device",
    _GUIDE,
)
IP_PARTIAL = _warning(
    "ip-partial",
    "some devices have a device_ip and others have none",
    "add what `hccn_tool -i N -ip -g` prints for that device",
    _GUIDE,
)
IP_COUNT = _refused(
    "ip-count",
    _PARA,
    "device[{rank}] size[{count}] neq first device size[{first}] error",
    "list as many addresses for each device",
    _CONCISE,
)
IP_FAMILY = _refused(
    "ip-family",
    ("EI0001",),
    "rank[{rank}] device ip family[{own}] is not same as others[{others}].",
    "use IPv4 on all devices or IPv6 on all (`hccn_tool -i N -ip -g`, `hccn_tool -i N -ip -inet6 -g`)",
    f"{_FAULTS}, cluster_info_verify_fail",
)
IP_FAMILY_ONE_SERVER = _warning(
    "ip-family-on-one-server",
    "HCCL compares the families only between servers",
    "use IPv4 on all devices or IPv6 on all",
    _CONFIG,
)
PORT = _refused(
    "port",
    _PARA,
    "port number[{value}] is not from 1 to 65535",
    "write a port from 1024 to 65535; without {name}, HCCL takes 16666",
    _CONCISE,
)
SYSTEM_PORT = _warning(
    "system-port", "ports 1 to 1023 are reserved for the system", "write a port from 1024 to 65535", _GUIDE
)
HOST_PORT_REPEATED = _warning(
    "host-port-repeated",
    "each device of a server must have a host_port of its own",
    "give it a port that no other device of the server has",
    _GUIDE,
)
BACKUP_OWN = _refused(
    "backup-is-own-address",
    _PARA,
    "Please do not use self ip as backup ip!",
    "write the address of the other die of the same NPU",
    _CONCISE,
)
BACKUP_NOT_PAIR = _refused(
    "backup-of-another-npu",
    _PARA,
    "link between device phyId[{device}] and backup device phyId[{backup}] is not sio link",
    "write the address of device {pair}, the other die of the same NPU",
    _CONCISE,
)
BACKUP_UNKNOWN = _warning(
    "backup-not-in-table",
    "Backup devIp[{value}] is not in this comm. Please notice it might be an invalid backup ip!",
    "write the address of the other die of the same NPU",
    _CONCISE,
)
BACKUP_PORT = _refused(
    "backup-port",
    _PARA,
    "backup device port[{value}] should not be the same with device port[{value}]",
    "give the address another port in its role as a backup",
    _CONCISE,
)

# Servers.
SERVER_COUNT = _refused(
    "server-count", _OLD, "The 'server_count' in ranktable is invalid.", 'set server_count to "{count}"', _CONCISE
)
NO_SERVER_COUNT = _warning(
    "no-server-count",
    "The 'server_count' in ranktable is not found, set server_count to server_list size",
    'add "server_count": "{count}"',
    _CONCISE,
)
SERVER_ID = _refused(
    "server-id",
    _PARA,
    "serverId[{value}] is empty or too long",
    "name the server with 1 to 64 characters, such as its address",
    _CONCISE,
)
SERVER_REPEATED = _refused(
    "server-repeated",
    _OLD,
    "The IP is used repeatedly.",
    "list all devices of a server in one entry, and each server once",
    _PARSER,
)
HOST_IP = _refused("host-ip", _OLD, "The ips in ranktable is invalid", "write the IPv4 address of the host", _PARSER)
HOST_IP_FAMILY = _warning("host-ip-family", "host_ip has to be IPv4", "write the IPv4 address of the host", _GUIDE)
HOST_NETWORK = _warning(
    "host-network",
    "with a host_ip and no device_ip on rank 0, HCCL uses the network cards of the hosts",
    "add a device_ip to each device, or remove host_ip",
    _CONCISE,
)

# Super pods (1.2).
SDID = _refused(
    "super-device-id",
    _OLD,
    "super_device_id[{value}] is invalid",
    "write the SDID that `npu-smi info -t spod-info -i ID -c CHIP` prints",
    f"{_FAULTS}, rank_table_load_fail",
)
SDID_MISSING = _refused(
    "super-device-id-missing",
    _PARA,
    "superDeviceId[0xffffffff] or superPod[] in rank[{rank}] is invalid",
    "add the SDID that `npu-smi info -t spod-info -i ID -c CHIP` prints",
    _CONCISE,
)
SDID_REPEATED = _refused(
    "super-device-id-repeated",
    _NEW,
    "devices have same superDeviceId[{value}] in superPod[{pod}]",
    "compare with `npu-smi info -t spod-info -i ID -c CHIP`; look at HCCL_LOGIC_SUPERPOD_ID as well",
    f"{_FAULTS}, cluster_info_verify_fail",
)
POD_ID = _refused(
    "super-pod-id",
    _OLD,
    "the 'super_pod_id' in the ranktable is invalid or empty",
    "name the super pod, for instance by the Super Pod ID of `npu-smi info -t spod-info -i ID -c CHIP`",
    _CONCISE,
)
POD_REPEATED = _refused(
    "super-pod-repeated", _OLD, "The IP is used repeatedly.", "list all servers of a super pod in one entry", _PARSER
)
POD_SERVER_UNKNOWN = _refused(
    "super-pod-server-unknown",
    _OLD,
    "the 'server_id' in the ranktable 'super_pod_list' is invalid or not found in server_list",
    "write the server_id as server_list has it, or add the server there",
    _CONCISE,
)
POD_SERVER_TWICE = _warning(
    "super-pod-server-twice", "of two super pods of a server the last one counts", "list each server once", _CONCISE
)
POD_TOTAL = _refused(
    "super-pod-total",
    _PARA,
    "serverNum[{listed}] in super_pod_list and serverNum[{servers}] in server_list are inconsistent",
    "add the server to its super pod",
    _CONCISE,
)
POD_MIXED = _refused(
    "super-pods-mixed",
    (),
    "the servers of one super pod have to stand together, one super pod after the other",
    "reorder server_list by super pod",
    _GUIDE,
)
POD_UNEVEN = _warning(
    "super-pods-uneven",
    "as many servers in each super pod, and as many devices on each server, are recommended",
    "use as many servers of each super pod",
    "Ascend TensorFlow migration guide, 8.5",
)
NO_PODS = _warning(
    "no-super-pods",
    "without super_pod_list and super_device_id HCCL uses AI server mode, as with version 1.0",
    'add them, or set version to "1.0"',
    _GUIDE,
)

PODS_UNREAD = _warning(
    "super-pods-unread",
    "HCCL reads super pods only in version 1.2",
    'set version to "1.2", or remove super_pod_list',
    _CONCISE,
)

# Legacy forms.
COUNT = _refused("count", _PARA, "{name} is not the number of entries", 'set {name} to "{count}"', _STANDARD)
NO_GROUP_NAME = _warning(
    "no-group-name",
    "the guide says that group_name may be left out, and the open parser does not start without",
    'add "group_name": "hccl_world_group"',
    _STANDARD,
)
POD_NAME_REPEATED = _refused(
    "pod-name-repeated", _OLD, "The IP is used repeatedly.", "give each instance a pod_name of its own", _PARSER
)
NIC_LOCATION = _refused(
    "nic-location",
    _PARA,
    "paraPlaneLocation should be 'device'",
    'set para_plane_nic_location to "device"',
    _STANDARD,
)
AVERAGE = _refused(
    "devices-per-server",
    _PARA,
    "device / server is invalid, uDeviceNum[{devices}], uServerNum[{servers}]",
    "use 1, 2, 4, 8 or 16 devices on each server",
    _PARSER,
)
ONE_DEVICE = _refused(
    "devices-per-instance", _PARA, "an instance of the lab form is one rank", "list one device in each", _STANDARD
)

# Version 2.0.
RANK_COUNT = _refused("rank-count", _NEW, "rank_count is not the number of ranks", "set rank_count to {count}", _GUIDE)
RANGE = _refused("range", _NEW, "{name} must be from {least} to {most}", "write {least} to {most}", _GUIDE)
LENGTH = _refused("length", _NEW, "{name} must have {least} to {most} {unit}", "write {least} to {most} {unit}", _GUIDE)
CHOICE = _refused("choice", _NEW, "{name} must be {expected}", "write {expected}", _GUIDE)
BACKUP_NPU = _refused(
    "backup-npu",
    _NEW,
    "local_id 64 is the backup NPU: one at most, with a replaced_local_id",
    "say with replaced_local_id which NPU it stands in for",
    "cann/hcomm, rank_table_info",
)
LAYER_ORDER = _refused(
    "layer-order", _NEW, "net_layer starts from 0 and ascends", "list the layers in ascending order", _GUIDE
)
LEVEL_ADDRESS = _refused(
    "level-address", _NEW, "addr is no {kind} address", "write {form}, or change addr_type", _GUIDE
)
LEVEL_PORT = _refused("level-port", _NEW, "a port is written as die/port, as in 0/4", "write texts such as 0/4", _GUIDE)
LEVEL_PORT_REPEATED = _refused(
    "level-port-repeated", _NEW, "a port has one address in a layer", "name the port at one address only", _GUIDE
)
LEVEL_UNEVEN = _refused(
    "level-uneven",
    _NEW,
    "ranks that share a net_layer and net_instance_id must have as many addresses there",
    "list as many addresses for each of these ranks",
    "cann/hcomm, rank_table_info",
)

# Which devices a job may have.
TOPOLOGY = _refused("topology", (), "{rule}", "{remedy}", "{source}")
TOPOLOGY_ADVICE = _warning("topology-advice", "{rule}", "{remedy}", "{source}")
