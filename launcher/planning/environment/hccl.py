"""HCCL's own variables: what they mean, what they may be on which chip, and which of them go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from launcher.planning.environment.contract import Job
from launcher.planning.environment.rule import Breach, breaches_of_parts, is_set
from launcher.planning.environment.values import (
    ADDRESS,
    ANYTHING,
    SWITCH,
    Values,
    is_whole,
    matching,
    one_of,
    ranges,
    whole,
)
from launcher.planning.environment.variable import Variable
from launcher.planning.model import Target
from launcher.specs import Host
from launcher.specs.soc import Family

_GUIDE: Final = "HCCL user guide, {}"

# Ranks that differ in these fail to connect, or one side times out (EI0005); the guide says so of none of them plainly.
SAME_ON_ALL: Final = (
    *("HCCL_CONNECT_TIMEOUT", "HCCL_BUFFSIZE", "HCCL_ALGO", "HCCL_WHITELIST_DISABLE", "HCCL_WHITELIST_FILE"),
    "HCCL_NPU_SOCKET_PORT_RANGE",
)
# Each host has its own.
OF_THE_HOST: Final = "HCCL_IF_IP"
# A recipe that sets one of these has its own choice of address, which HCCL_IF_IP would win over.
INSTEAD_OF_IT: Final = ("HCCL_SOCKET_IFNAME", "HCCL_SOCKET_FAMILY")

_FAMILY: Final = one_of("AF_INET", "AF_INET6")
_ON_OFF: Final = one_of("on", "off")
_PORTS: Final = ranges(1, 65535, "ports")
_DFS: Final = "HCCL_DFS_CONFIG"
_DFS_KEYS: Final = {
    "connection_fault_detection_time": Values(
        "0, or seconds from 20 to 7200", lambda text: text == "0" or whole(20, 7200).accepts(text)
    ),
    "cluster_heartbeat": _ON_OFF,
    "stuck_detection": _ON_OFF,
    "inconsistent_check": _ON_OFF,
    "task_monitor_interval": whole(0, 7200000, "milliseconds"),
}
_RETRY: Final = "HCCL_OP_RETRY_ENABLE"
_EXEC: Final = whole(0, 2147483647, "a whole number of seconds, 0 for never,")
_LONGEST_AIV: Final = 1091  # seconds that a collective may take which the AI vector cores run


def _of_the_guide(
    name: str,
    meaning: str,
    values: Values = ANYTHING,
    default: str = "",
    on: Mapping[Family, Values] | None = None,
    is_certain: bool = True,
) -> Variable:
    return Variable(name, meaning, _GUIDE.format(name), values, default, is_certain, on or {})


VARIABLES: Final = (
    _of_the_guide(
        "HCCL_CONNECT_TIMEOUT",
        "Seconds to wait for the others' sockets (EI0006, EI0015).",
        whole(120, 7200, "seconds"),
        "120",
    ),
    _of_the_guide(
        "HCCL_EXEC_TIMEOUT",
        "Seconds that a collective may take (EI0002); on Ascend 910 rounded down to a multiple of 68.",
        _EXEC,
        "1836",
        {Family.ASCEND910: whole(1, 17340, "seconds")},
    ),
    _of_the_guide(OF_THE_HOST, "This host's address for HCCL; wins over HCCL_SOCKET_IFNAME.", ADDRESS, "found"),
    _of_the_guide(
        "HCCL_SOCKET_IFNAME",
        "Network cards to use: eth (a prefix), =eth0 (a name), ^ in front to exclude; a list with commas.",
        matching(r"\^?=?[^\s,^=]+(,[^\s,^=]+)*", "names of network cards with commas between, after ^, = or ^="),
        "the first that is neither docker's nor lo",
        is_certain=False,
    ),
    _of_the_guide("HCCL_SOCKET_FAMILY", "Family of the host's addresses.", _FAMILY, "AF_INET"),
    _of_the_guide("HCCL_IF_BASE_PORT", "First of the host's ports for HCCL.", whole(1024, 65520, "a port"), "60000"),
    _of_the_guide(
        "HCCL_HOST_SOCKET_PORT_RANGE",
        "Ports of the host, for several processes on one.",
        Values("auto, or ports such as 60000-60050,60100", lambda text: text == "auto" or _PORTS.accepts(text)),
    ),
    _of_the_guide(
        "HCCL_NPU_SOCKET_PORT_RANGE",
        "Ports of an NPU, for several processes on one; the same on all ranks (EI0020).",
        Values("auto, or ports such as 61000-61050,61100", lambda text: text == "auto" or _PORTS.accepts(text)),
        "16666",
    ),
    _of_the_guide("HCCL_WHITELIST_DISABLE", "0: hosts are checked against HCCL_WHITELIST_FILE.", SWITCH, "1"),
    _of_the_guide("HCCL_WHITELIST_FILE", "A JSON file with the addresses that may connect."),
    _of_the_guide(
        "HCCL_BUFFSIZE",
        "MB of a communicator's buffer; it takes two of them.",
        Values("a whole number of MB from 1 up", lambda text: is_whole(text) and int(text) > 0),
        "200",
    ),
    _of_the_guide(
        "HCCL_RDMA_TC",
        "Traffic class of RoCE; four times the DSCP.",
        Values(
            "a multiple of 4 from 0 to 255", lambda text: is_whole(text) and int(text) <= 255 and int(text) % 4 == 0
        ),
        "132",
    ),
    _of_the_guide("HCCL_RDMA_SL", "Service level of RoCE: the card's PFC priority.", whole(0, 7), "4"),
    _of_the_guide(
        "HCCL_RDMA_TIMEOUT",
        "Retransmit after 4.096 µs times 2 to the power of this.",
        whole(5, 24),
        "20",
        {Family.ASCEND910B: whole(5, 20), Family.ASCEND910_93: whole(5, 20)},
    ),
    _of_the_guide("HCCL_RDMA_RETRY_CNT", "Retransmits before it gives up (EI0013).", whole(1, 7), "7"),
    _of_the_guide(
        "HCCL_OP_EXPANSION_MODE",
        "Where a collective is unfolded into tasks.",
        ANYTHING,
        "HOST on A2, AI_CPU on A3, CCU_SCHED on 950",
        {
            Family.ASCEND910B: one_of("HOST", "HOST_TS", "AI_CPU", "AIV"),
            Family.ASCEND910_93: one_of("AI_CPU", "AIV", "AICPU_CacheDisable"),
            Family.ASCEND950: one_of("CCU_SCHED", "CCU_MS", "AI_CPU", "AIV"),
        },
        is_certain=False,  # A2 and A3 fall back to their default
    ),
    _of_the_guide("HCCL_ALGO", "Algorithm of each level of the network.", ANYTHING, "chosen"),
    _of_the_guide(
        "HCCL_DETERMINISTIC",
        "Whether reductions add up in one order.",
        Values("false, true or strict", lambda text: text.lower() in ("false", "true", "strict")),
        "false",
    ),
    _of_the_guide("HCCL_INTRA_PCIE_ENABLE", "PCIe between the NPUs of a server.", SWITCH),
    _of_the_guide("HCCL_INTRA_ROCE_ENABLE", "RoCE between the NPUs of a server.", SWITCH),
    _of_the_guide(
        "HCCL_INTER_HCCS_DISABLE",
        "RoCE instead of HCCS between the servers of a super pod.",
        one_of("TRUE", "FALSE"),
        "FALSE",
        is_certain=False,
    ),
    _of_the_guide(
        "HCCL_LOGIC_SUPERPOD_ID",
        "Servers with the same are one super pod.",
        Values("text of at most 127 characters", lambda text: len(text) < 128),
        "the physical id",
    ),
    _of_the_guide(
        _RETRY,
        "Whether a failed collective is done again: L1 between servers, L2 between super pods; A3 alone.",
        default="L1:0,L2:0",
    ),
    _of_the_guide("HCCL_OP_RETRY_PARAMS", "How often and when a failed collective is done again."),
    _of_the_guide(_DFS, "What HCCL watches for faults, as key:value parts with commas between."),
    _of_the_guide("HCCL_ENTRY_LOG_ENABLE", "A line in CANN's log for each call of a collective.", SWITCH, "0"),
    _of_the_guide("HCCL_DIAGNOSE_ENABLE", "Diagnosis of collectives."),
    _of_the_guide("HCCL_DEBUG_CONFIG", "What HCCL logs in more detail."),
    _of_the_guide("HCCL_MULTI_QP_THRESHOLD", "Size from which data is spread over several queue pairs."),
)


def of_root_info(job: Job, host: Host) -> Mapping[str, str]:
    """What the ranks of a host have by default, where HCCL's ranks find each other by root info and no table.

    Left alone, HCCL takes the first interface by name that is neither docker's nor lo, whether the other hosts reach
    it or not. Only an address that the host was seen to have is given: HCCL refuses another.
    """
    return {OF_THE_HOST: job.ip(host)} if job.target is Target.ASCEND and job.knows_interfaces else {}


_INTRA: Final = ("HCCL_INTRA_PCIE_ENABLE", "HCCL_INTRA_ROCE_ENABLE")
_LEGAL_PAIRS: Final = {("1", ""), ("1", "0"), ("0", "1"), ("", "1"), ("0", "0"), ("", "")}


def breaches(env: Mapping[str, str], family: Family | None) -> Iterator[Breach]:
    """Settings that are sound one by one and do not go together."""
    pair = (env.get(_INTRA[0], ""), env.get(_INTRA[1], ""))
    if pair not in _LEGAL_PAIRS:
        yield Breach(
            _INTRA,
            f"{_INTRA[0]} {pair[0] or 'unset'} and {_INTRA[1]} {pair[1] or 'unset'} do not go together",
            "1 and unset or 0 (PCIe), unset or 0 and 1 (RoCE), both 0, or neither",
            _GUIDE.format("HCCL_INTRA_ROCE_ENABLE"),
            is_certain=all(pair),  # a rank may inherit the other
        )
    yield from breaches_of_parts(env, _DFS, _DFS_KEYS, _GUIDE.format(_DFS))
    yield from breaches_of_parts(env, _RETRY, dict.fromkeys(("L0", "L1", "L2"), SWITCH), _GUIDE.format(_RETRY))
    limit = env.get("HCCL_EXEC_TIMEOUT", "")
    if env.get("HCCL_OP_EXPANSION_MODE") == "AIV" and is_whole(limit) and not 0 < int(limit) <= _LONGEST_AIV:
        yield Breach(
            ("HCCL_EXEC_TIMEOUT", "HCCL_OP_EXPANSION_MODE"),
            f"HCCL_EXEC_TIMEOUT {limit} does not hold for collectives with HCCL_OP_EXPANSION_MODE AIV",
            f"seconds from 1 to {_LONGEST_AIV}",
            _GUIDE.format("HCCL_EXEC_TIMEOUT"),
            is_certain=False,
        )
    if env.get("HCCL_WHITELIST_DISABLE") == "0" and not is_set(env, "HCCL_WHITELIST_FILE"):
        yield Breach(
            ("HCCL_WHITELIST_DISABLE",),
            "HCCL_WHITELIST_DISABLE 0 checks hosts against a file that HCCL_WHITELIST_FILE does not name",
            "HCCL_WHITELIST_FILE beside it",
            _GUIDE.format("HCCL_WHITELIST_FILE"),
            is_certain=False,
        )
    if ":1" in env.get(_RETRY, ""):
        if family is not Family.ASCEND910_93:
            yield Breach(
                (_RETRY,),
                "HCCL_OP_RETRY_ENABLE has an effect on Ascend910_93 alone",
                "an Ascend 910_93",
                _GUIDE.format(_RETRY),
                is_certain=False,
            )
        elif env.get("HCCL_OP_EXPANSION_MODE", "AI_CPU") != "AI_CPU":
            yield Breach(
                (_RETRY, "HCCL_OP_EXPANSION_MODE"),
                f"HCCL_OP_RETRY_ENABLE needs HCCL_OP_EXPANSION_MODE AI_CPU, not {env['HCCL_OP_EXPANSION_MODE']}",
                "HCCL_OP_EXPANSION_MODE AI_CPU, its default here",
                _GUIDE.format(_RETRY),
                is_certain=False,
            )
