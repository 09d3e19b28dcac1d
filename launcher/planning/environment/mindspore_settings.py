"""MindSpore's variables that a recipe may set (mindspore-ai/docs, dynamic_cluster.md and env_var_list)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from launcher.planning.environment.rule import Breach, is_set
from launcher.planning.environment.values import ANYTHING, SECONDS, SWITCH, Values, is_whole, one_of, whole
from launcher.planning.environment.variable import Variable

_CLUSTER: Final = "mindspore-ai/docs, dynamic_cluster.md"
_LIST: Final = "mindspore-ai/docs, env_var_list"
_NUMBER: Final = Values("a whole number from 0 up", is_whole)
_NONE: Final = Values("0, for npu-launch starts no parameter servers", lambda text: text == "0")

VARIABLES: Final = (
    Variable(
        "MS_NODE_TIMEOUT", "Seconds without a heartbeat after which a worker counts as dead.", _CLUSTER, SECONDS, "30"
    ),
    Variable("MS_TOPO_TIMEOUT", "Seconds that the scheduler waits for all workers.", _CLUSTER, SECONDS, "1800"),
    Variable("MS_SERVER_NUM", "Servers of the parameter-server mode.", _CLUSTER, _NONE),
    Variable("MS_RECEIVE_MSG_TIMEOUT", "Seconds to wait for a message of the cluster.", _CLUSTER, SECONDS, "300"),
    Variable("MS_RETRY_INTERVAL_LOWER", "Least seconds between attempts to connect.", _CLUSTER, SECONDS, "3"),
    Variable("MS_RETRY_INTERVAL_UPPER", "Most seconds between attempts to connect.", _CLUSTER, SECONDS, "5"),
    Variable("MS_DISABLE_HEARTBEAT", "1: the scheduler no longer notices dead workers.", _CLUSTER, SWITCH, "on"),
    Variable(
        "MS_ENABLE_RECOVERY", "Whether a scheduler that is started again takes its workers back.", _CLUSTER, SWITCH, "0"
    ),
    Variable("MS_RECOVERY_PATH", "Folder in which the cluster keeps what a recovery needs.", _CLUSTER),
    Variable("MS_ENABLE_LCCL", "Fast collectives within a server.", _CLUSTER, SWITCH, "0"),
    Variable("GLOG_v", "0 debug, 1 info, 2 warning, 3 error, 4 critical.", _LIST, whole(0, 4), "2"),
    Variable("GLOG_logtostderr", "0: logs go to files below GLOG_log_dir.", _LIST, SWITCH, "1"),
    Variable("GLOG_log_dir", "Folder of log files.", _LIST),
    Variable("GLOG_stderrthreshold", "Level from which lines go to standard error too.", _LIST, whole(0, 4), "2"),
    Variable("GLOG_max_log_size", "MB of a log file.", _LIST, _NUMBER, "50"),
    Variable("GLOG_logfile_mode", "Mode of log files, octal.", _LIST, ANYTHING, "0640"),
    Variable("logger_maxBytes", "Bytes of a Python log file.", _LIST, _NUMBER, "52428800"),
    Variable("logger_backupCount", "Python log files that are kept.", _LIST, _NUMBER, "30"),
    Variable("MS_SUBMODULE_LOG_v", "Levels of single modules, such as {PARSER:2,ANALYZER:2}.", _LIST),
    Variable("VLOG_v", "Detail of the verbose log.", _LIST),
    Variable("MS_RDR_ENABLE", "Whether the running data recorder is on.", _LIST, SWITCH),
    Variable("MS_RDR_MODE", "When it writes.", _LIST),
    Variable("MS_RDR_PATH", "Where it writes.", _LIST),
    Variable("MS_OM_PATH", "Folder for dumps of failed tasks.", _LIST),
    Variable("MS_DIAGNOSTIC_DATA_PATH", "Folder for diagnostic data.", _LIST),
    Variable("MS_DEV_SAVE_GRAPHS", "Which intermediate graphs are kept.", _LIST, whole(0, 3), "0"),
    Variable("MS_DEV_SAVE_GRAPHS_PATH", "Where they are kept.", _LIST),
    Variable("MS_COMPILER_CACHE_ENABLE", "Whether compiled graphs are kept.", _LIST, SWITCH, "0"),
    Variable("MS_COMPILER_CACHE_PATH", "Where they are kept.", _LIST),
    Variable("MS_COMPILER_OP_LEVEL", "How far operators are compiled with debug data.", _LIST, whole(0, 4), "3"),
    Variable(
        "MS_ASCEND_CHECK_OVERFLOW_MODE",
        "How overflow shows.",
        _LIST,
        one_of("SATURATION_MODE", "INFNAN_MODE"),
        "INFNAN_MODE",
    ),
    Variable("MS_ALLOC_CONF", "The memory allocator, such as enable_vmm:true.", _LIST),
    Variable("MS_DEV_RUNTIME_CONF", "Tuning of the runtime.", _LIST),
    Variable("MS_DEV_LAUNCH_BLOCKING", "Whether operators run one by one.", _LIST),
    Variable("MS_ENABLE_TFT", "Parts of fault tolerance, such as {TTP:1,UCE:1}.", _LIST),
    Variable("MS_TFT_IP", "Address of the fault tolerance controller.", _LIST),
    Variable("MS_TFT_PORT", "Its port.", _LIST, whole(1, 65535, "a port")),
    Variable("MS_ENABLE_GRACEFUL_EXIT", "Whether SIGTERM lets a step end.", _LIST, SWITCH),
    Variable("MS_SIMULATION_LEVEL", "Dry run without a cluster.", _LIST, whole(0, 3), is_certain=False),
    Variable("MINDSPORE_DUMP_CONFIG", "The JSON file that says what is dumped.", _LIST),
    Variable("MS_PROFILER_OPTIONS", "What is profiled, as JSON.", _LIST),
    Variable("NPU_ASD_ENABLE", "Detection of silent errors.", _LIST, whole(0, 3)),
    Variable("NPU_ASD_UPPER_THRESH", "Its absolute thresholds, such as 1000000,10000.", _LIST),
    Variable("NPU_ASD_SIGMA_THRESH", "Its relative thresholds, such as 100000,5000.", _LIST),
)


def breaches(env: Mapping[str, str]) -> Iterator[Breach]:
    """Settings that are sound one by one and do not go together."""
    if env.get("GLOG_logtostderr") == "0" and not is_set(env, "GLOG_log_dir"):
        yield Breach(
            ("GLOG_logtostderr",),
            "GLOG_logtostderr 0 writes to files, and GLOG_log_dir does not say where",
            "GLOG_log_dir beside it, or in the shell that launches",
            _LIST,
            is_certain=False,
        )
    lower, upper = env.get("MS_RETRY_INTERVAL_LOWER", "3"), env.get("MS_RETRY_INTERVAL_UPPER", "5")
    if is_whole(lower) and is_whole(upper) and int(lower) > int(upper):
        yield Breach(
            ("MS_RETRY_INTERVAL_LOWER", "MS_RETRY_INTERVAL_UPPER"),
            f"MS_RETRY_INTERVAL_LOWER {lower} is above MS_RETRY_INTERVAL_UPPER {upper}",
            "the lower one below the upper one",
            _CLUSTER,
            is_certain=False,
        )
