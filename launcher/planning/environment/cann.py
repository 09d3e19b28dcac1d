"""CANN's variables for logs, dumps and folders."""

from __future__ import annotations

from typing import Final

from launcher.planning.environment.values import SWITCH, Values, is_whole, matching, one_of, whole
from launcher.planning.environment.variable import Variable

_CANN: Final = "CANN environment variable reference (hiascend.com)"
_LOG: Final = "CANN log documentation"
_NUMBER: Final = Values("a whole number from 0 up", is_whole)

VARIABLES: Final = (
    Variable("ASCEND_GLOBAL_LOG_LEVEL", "0 debug, 1 info, 2 warning, 3 error, 4 nothing.", _CANN, whole(0, 4), "3"),
    Variable(
        "ASCEND_MODULE_LOG_LEVEL",
        "Levels of single modules, such as HCCL=1:GE=0.",
        _CANN,
        matching(r"[A-Za-z_0-9]+=[0-4](:[A-Za-z_0-9]+=[0-4])*", "MODULE=LEVEL with colons between, levels 0 to 4"),
        is_certain=False,
    ),
    Variable("ASCEND_GLOBAL_EVENT_ENABLE", "Whether EVENT lines are logged.", _CANN, SWITCH, "differs by version"),
    Variable("ASCEND_SLOG_PRINT_TO_STDOUT", "1: logs go to standard output and to no file.", _CANN, SWITCH, "0"),
    Variable("ASCEND_WORK_PATH", "Folder for logs, profiles and dumps without one of their own.", _CANN),
    Variable("ASCEND_HOST_LOG_FILE_NUM", "Log files that a process keeps, of 20 MB.", _LOG, whole(1, 1000), "10"),
    Variable("ASCEND_LOG_DEVICE_FLUSH_TIMEOUT", "Milliseconds to wait for device logs at exit.", _CANN, _NUMBER),
    Variable("ASCEND_LOG_SAVE_MODE", "0: one log folder, 1: separate ones.", _LOG, whole(0, 2), is_certain=False),
    Variable("ASCEND_LOG_SYNC_SAVE", "Whether lines are written at once.", _LOG, SWITCH, "0", is_certain=False),
    Variable("ASCEND_CACHE_PATH", "Folder of compiled operators.", _CANN),
    Variable("ASCEND_COREDUMP_SIGNAL", "none: CANN catches no signals.", _CANN),
    Variable("ASCEND_CUSTOM_OPP_PATH", "Folders of operators of one's own.", _CANN),
    Variable("NPU_COLLECT_PATH", "Folder for all that explains a failed operator.", _CANN),
    Variable("DUMP_GE_GRAPH", "1 all of a graph, 2 without weights, 3 least.", _CANN, whole(1, 3), "off", False),
    Variable("DUMP_GRAPH_LEVEL", "Which graphs are dumped: 1 all to 3 the last.", _CANN, whole(1, 4), "2", False),
    Variable("DUMP_GRAPH_PATH", "Folder of dumped graphs.", _CANN, is_certain=False),
    Variable("ACLNN_CACHE_LIMIT", "Operators that are kept ready.", _CANN, _NUMBER, "10000", is_certain=False),
    Variable(
        "PROFILING_MODE", "Whether TensorFlow's run is profiled.", _CANN, one_of("true", "false", "dynamic"), "", False
    ),
    Variable("PROFILING_OPTIONS", "What is profiled, as JSON.", _CANN, is_certain=False),
    Variable("PATH", "Folders of programs.", "POSIX"),
    Variable("LD_LIBRARY_PATH", "Folders of shared libraries; of CANN and the driver, for ranks on NPUs.", "ld.so(8)"),
    Variable("PYTHONPATH", "Folders of Python modules.", "Python documentation, environment variables"),
    Variable("ASCEND_HOME_PATH", "CANN's folder; set_env.sh sets it.", _CANN),
    Variable("ASCEND_TOOLKIT_HOME", "CANN's folder; set_env.sh sets it.", _CANN),
    Variable("ASCEND_OPP_PATH", "Folder of operators; set_env.sh sets it.", _CANN),
    Variable("TOOLCHAIN_HOME", "Folder of CANN's compilers; set_env.sh sets it.", _CANN),
    Variable("ASCEND_VISIBLE_DEVICES", "Devices that the container runtime mounts; no process reads it.", _CANN),
    Variable("ASCEND_AICPU_PATH", "Folder of AI CPU operators; set_env.sh sets it.", _CANN),
)
