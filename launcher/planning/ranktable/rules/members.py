"""Ranks, their devices, and which devices a job may have."""

from __future__ import annotations

from launcher.planning.ranktable.rules.rule import BOTH, CONCISE, CONFIG, GUIDE, MINDSPORE, PARA, refused, warning

RANK_TEXT = refused(
    "rank-not-a-number", BOTH, "The rankid in ranktable is invalid. Please check ranktable", "write a number", CONCISE
)
RANK_BEYOND = refused(
    "rank-beyond-size",
    BOTH,
    "Use a rank ID that exceeds the rank size in the ranktable.",
    "number the {size} ranks from 0 to {last}",
    CONCISE,
)
RANK_MISSING = refused(
    "rank-missing",
    BOTH,
    "The 'rank_id' in the ranktable must start from 0 or it is used repeatedly",
    "number the {size} ranks from 0 to {last}, leaving none out",
    CONCISE,
)
RANK_REPEATED = refused(
    "rank-repeated",
    BOTH,
    "The 'rank_id' in the ranktable must start from 0 or it is used repeatedly",
    "give each device a rank of its own",
    CONCISE,
)
INTERLEAVED = refused(
    "ranks-interleaved",
    (),
    "the ranks of a server must follow each other, as in 0 to 3 and 4 to 7",
    "renumber, one server after the other",
    GUIDE,
)
SERVER_ORDER = warning(
    "server-order",
    "MindSpore wants the order of rank_id to follow the dictionary order of server_id",
    "list the servers in the order of their server_id as texts, and number the ranks in it",
    MINDSPORE,
)
DEVICE_TEXT = refused(
    "device-not-a-number", PARA, "device_id[{value}] is invalid", "write the N of /dev/davinciN", CONCISE
)
DEVICE_BEYOND = refused(
    "device-beyond-limit",
    PARA,
    "device_id[{value}] more than {last} is invalid",
    "write the N of /dev/davinciN, from 0 to {last}",
    CONCISE,
)
DEVICE_REPEATED = refused(
    "device-repeated",
    BOTH,
    "device id repeat for one server. Please check ranktable",
    "give each rank a device of its own",
    CONFIG,
)
DEVICE_SHARED = warning(
    "device-shared",
    "several ranks share a device, each with a device_port of its own",
    "give each rank a device of its own, unless this is meant",
    GUIDE,
)
TOPOLOGY = refused("topology", (), "{rule}", "{remedy}", "{source}")
TOPOLOGY_ADVICE = warning("topology-advice", "{rule}", "{remedy}", "{source}")
