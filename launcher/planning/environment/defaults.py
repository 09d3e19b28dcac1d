"""What npu-launch sets where the recipe does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.planning.environment.contract import Job
from launcher.planning.environment.values import Values, is_whole
from launcher.planning.environment.variable import Variable
from launcher.planning.model import Target

_PYTHON: Final = "Python documentation, environment variables"

VARIABLES: Final = (
    Variable("PYTHONUNBUFFERED", "Output is in the log at once.", _PYTHON),
    Variable("PYTHONFAULTHANDLER", "A crash in native code, or SIGABRT, leaves the stacks in the log.", _PYTHON),
    Variable(
        "OMP_NUM_THREADS",
        "Threads of a process that compute. On CPU 1: ranks share the cores of their host.",
        "OpenMP specification",
        Values("whole numbers above 0 with commas between", lambda text: all(map(_is_count, text.split(",")))),
        "all cores",
        is_certain=False,  # what another text means, each implementation defines
    ),
)


def default_variables(job: Job) -> Mapping[str, str]:
    """What every process of the job has by default, and the recipe may change."""
    variables = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "ASCEND_SLOG_PRINT_TO_STDOUT": "0",  # CANN's log has a folder of its own, ASCEND_PROCESS_LOG_PATH
    }
    if job.target is Target.ASCEND:
        return variables | {"HCCL_IF_BASE_PORT": str(job.place.hccl_port)}
    return variables | {"OMP_NUM_THREADS": "1"}


def _is_count(text: str) -> bool:
    return is_whole(text.strip()) and int(text) > 0
