"""Variables of torch_npu (Ascend/pytorch, environment_variable_reference)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from launcher.planning.environment.rule import Breach, breaches_of_parts, parts_of
from launcher.planning.environment.values import ANYTHING, SWITCH, Values, is_whole, matching, one_of, whole
from launcher.planning.environment.variable import Variable

_SOURCE: Final = "Ascend/pytorch, environment_variable_reference"
_ALLOC: Final = "PYTORCH_NPU_ALLOC_CONF"
_TRUTH: Final = one_of("True", "False")
_NUMBER: Final = Values("a whole number from 0 up", is_whole)


def _is_fraction(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False


_ALLOC_KEYS: Final[Mapping[str, Values]] = {
    "max_split_size_mb": Values("a whole number above 20", lambda text: is_whole(text) and int(text) > 20),
    "garbage_collection_threshold": Values("a number between 0 and 1", _is_fraction),
    "expandable_segments": _TRUTH,
    "base_addr_aligned_kb": whole(0, 16),
    "page_size": one_of("1g"),
    "segment_size_mb": whole(20, 512),
    **dict.fromkeys(("roundup_power2_divisions", "pinned_use_background_threads"), ANYTHING),
    **dict.fromkeys(("pin_memory_expandable_segments", "pinned_mem_register"), ANYTHING),
}

VARIABLES: Final = (
    Variable(
        "TASK_QUEUE_ENABLE",
        "How operators are handed to the device: 0 at once, 1 or 2 through a queue.",
        _SOURCE,
        whole(0, 2),
        "1",
    ),
    Variable(
        "ASCEND_LAUNCH_BLOCKING",
        "1: operators run one by one, so that a traceback points to the right line.",
        _SOURCE,
        SWITCH,
        "0",
    ),
    Variable(
        "ACL_DEVICE_SYNC_TIMEOUT",
        "Seconds to wait for a device.",
        _SOURCE,
        whole(1, 2147483, "seconds"),
        "the driver's own",
    ),
    Variable("COMBINED_ENABLE", "Whether operators on scattered tensors are merged.", _SOURCE, SWITCH, "0"),
    Variable(
        "CPU_AFFINITY_CONF",
        "How torch_npu binds its threads: 0 not, 1 or 2, then npu0:0-3 and npu_affine:1 after commas.",
        _SOURCE,
        matching(r"[012]( *, *[a-z_0-9]+:[0-9-]+)*", "0, 1 or 2, then parts such as npu0:0-3 after commas"),
        "0",
    ),
    Variable(_ALLOC, "The memory allocator, as key:value parts with commas between.", _SOURCE),
    Variable("PYTORCH_NO_NPU_MEMORY_CACHING", "Set: memory is not cached.", _SOURCE),
    Variable("MULTI_STREAM_MEMORY_REUSE", "How memory is used again across streams.", _SOURCE, whole(0, 3), "1"),
    Variable(
        "OOM_SNAPSHOT_ENABLE", "Snapshot when memory is out: 1 with history, 2 without.", _SOURCE, whole(0, 2), "0"
    ),
    Variable("OOM_SNAPSHOT_PATH", "Folder of that snapshot.", _SOURCE),
    Variable(
        "HCCL_ASYNC_ERROR_HANDLING",
        "Whether torch_npu's watchdog ends a rank whose collective fails.",
        _SOURCE,
        SWITCH,
        "1",
    ),
    Variable(
        "HCCL_EVENT_TIMEOUT",
        "Seconds to wait for an event; above HCCL_EXEC_TIMEOUT.",
        _SOURCE,
        whole(0, 2147483647, "seconds"),
        "1868",
        is_certain=False,
    ),
    Variable("P2P_HCCL_BUFFSIZE", "MB for point to point; 0: no communicator of its own.", _SOURCE, _NUMBER, "20"),
    Variable("HCCL_DESYNC_DEBUG", "Whether ranks that have lost step are told.", _SOURCE, SWITCH, "", is_certain=False),
    Variable("TORCH_HCCL_ZERO_COPY", "Whether collectives do without copies.", _SOURCE, SWITCH, "", is_certain=False),
    Variable("PER_STREAM_QUEUE", "Whether each stream has a queue.", _SOURCE, SWITCH, "", is_certain=False),
    Variable("INF_NAN_MODE_ENABLE", "1: inf and nan; 0: saturation.", _SOURCE, SWITCH, "1"),
    Variable("INF_NAN_MODE_FORCE_DISABLE", "With INF_NAN_MODE_ENABLE 0 on A2 and A3.", _SOURCE, SWITCH),
    Variable("STREAMS_PER_DEVICE", "Streams of a device.", _SOURCE, one_of("8", "32"), "32", is_certain=False),
    Variable("ACL_OP_COMPILER_CACHE_DIR", "Folder of compiled operators.", _SOURCE),
    Variable(
        "ACL_OP_COMPILER_CACHE_MODE",
        "Whether compiled operators are kept.",
        _SOURCE,
        one_of("enable", "disable", "force"),
    ),
    Variable("TORCH_NPU_COMPACT_ERROR_OUTPUT", "Shorter errors.", _SOURCE),
    Variable("TORCH_NPU_DISABLED_WARNING", "No warnings.", _SOURCE),
    Variable("TORCH_NPU_LOGS", "What torch_npu logs.", _SOURCE),
    Variable("TORCH_NPU_LOGS_FILTER", "Which of it.", _SOURCE),
    Variable("PROF_CONFIG_PATH", "Folder of dynamic_profile.", _SOURCE),
    Variable("KINETO_USE_DAEMON", "Whether a daemon asks for profiles.", _SOURCE),
    Variable("NPU_ASD_CONFIG", "Detection of silent errors.", _SOURCE),
)


def breaches(env: Mapping[str, str]) -> Iterator[Breach]:
    """Settings that are sound one by one and do not go together, and the parts of the allocator's."""
    yield from _timeouts(env)
    yield from _allocator(env)
    if env.get("ASCEND_LAUNCH_BLOCKING") == "1" and env.get("TASK_QUEUE_ENABLE", "0") != "0":
        yield Breach(
            ("TASK_QUEUE_ENABLE", "ASCEND_LAUNCH_BLOCKING"),
            "TASK_QUEUE_ENABLE has no effect with ASCEND_LAUNCH_BLOCKING 1",
            "one of them",
            _SOURCE,
            is_certain=False,
        )


def _timeouts(env: Mapping[str, str]) -> Iterator[Breach]:
    """A collective has to time out before the event that waits for it; 0 is never."""
    names = ("HCCL_EVENT_TIMEOUT", "HCCL_EXEC_TIMEOUT")
    event, execution = env.get(names[0], ""), env.get(names[1], "")
    if not (event or execution) or not all(is_whole(text) for text in (event, execution) if text):
        return
    if event == "0" or int(event or 1868) > int(execution or 1836) > 0:
        return
    yield Breach(
        names if event and execution else (names[0] if event else names[1],),
        f"{names[0]} {event or '1868 (default)'} is not above {names[1]} {execution or '1836 (default)'}",
        f"{names[0]} greater than {names[1]}",
        _SOURCE,
        is_certain=bool(event and execution) and execution != "0",
    )


def _allocator(env: Mapping[str, str]) -> Iterator[Breach]:
    yield from breaches_of_parts(env, _ALLOC, _ALLOC_KEYS, _SOURCE)
    given = dict(parts_of(env.get(_ALLOC, "")))
    excluded = [key for key in ("max_split_size_mb", "garbage_collection_threshold") if key in given]
    if given.get("expandable_segments") == "True" and excluded:
        yield Breach(
            (_ALLOC,),
            f"{_ALLOC} has expandable_segments:True beside {' and '.join(excluded)}",
            "expandable_segments:True without max_split_size_mb and garbage_collection_threshold",
            _SOURCE,
        )
