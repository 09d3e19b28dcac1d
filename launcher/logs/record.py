"""What every line of every log comes to, whatever wrote it: records."""

from __future__ import annotations

from enum import Enum, IntEnum
from pathlib import Path
from typing import NamedTuple


class Level(IntEnum):
    """How grave a record is, in the order and with the numbers of Python's `logging`.

    CANN's EVENT and TRACE are INFO; MindSpore's EXCEPTION, glog's F and the kernel's emerg to crit are CRITICAL.
    """

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


class Source(str, Enum):
    """Who wrote a log."""

    STDOUT = "stdout"  # a rank, on its standard output and error
    PLOG = "plog"  # CANN on the host, for one process
    DEVICE = "device"  # CANN and the system on the device
    FRAMEWORK = "framework"  # MindSpore's own files (GLOG_log_dir)
    SCHEDULER = "scheduler"  # MindSpore's scheduler, or another process that serves the ranks
    LAUNCHER = "launcher"  # npu-launch
    HOST = "host"  # the host: dmesg, messages, answers of npu-smi and hccn_tool, msnpureport


class LogFile(NamedTuple):
    """One log of a run, or of a folder that came from elsewhere; what is not known of it is None.

    `name` is how a person is told of it: its path below the run's directory or that folder. Files of one `stream` are
    parts of one log that was rotated, which follow each other in the order of `part`.
    """

    path: Path
    name: str
    source: Source
    attempt: int | None = None
    host: str | None = None
    rank: int | None = None
    device: int | None = None
    pid: int | None = None
    stream: str = ""
    part: int = 0


class Record(NamedTuple):
    """One message: the line that began it, and those that continued it.

    `offset` (bytes) and `line` (from 1) are where its first line begins in its file. `text` is what it says, without
    the header that the other fields come from, each further line after a newline. `time` is in seconds since the epoch,
    by the clock of the host that wrote it; None where the line has no stamp. `place` is where in the program's source
    it was written ("engine.cc:914"). `rank` and `device` are what the line itself says.
    """

    offset: int
    line: int
    text: str
    time: float | None = None
    level: Level | None = None
    module: str = ""
    pid: int | None = None
    rank: int | None = None
    device: int | None = None
    place: str = ""
    lines: int = 1
