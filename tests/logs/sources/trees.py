"""Trees of logs in the layouts that people send, small and in the true formats (facts/logs.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DAY = "2024-05-21"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder, by their paths."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def cann(pid: int, text: str, *, at: str = "11:00:00", module: str = "HCCL") -> str:
    """A line of CANN on the host."""
    return f"[INFO] {module}({pid},python):{DAY}-{at}.613.679 [topoinfo_detect.cc:66] [{pid}]{text}\n"


def agent(
    pid: int,
    rank: int,
    of: int,
    *,
    server: str = "10.20.8.250%bond1",
    device: int = 0,
    at: str = "11:00:00",
    group: str = "10.20.8.250%bond1_60000_0_1761275812718970",
) -> str:
    """The line in which a process says its rank in a communicator, its server and its device."""
    return cann(
        pid,
        f"SetupAgent rankNum[{of}], rank[{rank}], rootInfo identifier[{group}], server[{server}], "
        f"logicDevId[0], phydevId[{device}], deviceIp[124.0.0.{device}]",
        at=at,
    )


def torch(pid: int, device: int, rank: int, *, at: str = "11:57:54") -> str:
    """The line in which torch_npu says whose error it is."""
    return f"[ERROR] {DAY}-{at} (PID:{pid}, Device:{device}, RankID:{rank}) ERR00100 PTA call acl api failed.\n"


def mindspore(pid: int, text: str = "Init]begin", *, at: str = "11:00:01") -> str:
    """A line of MindSpore's C++."""
    return f"[WARNING] DISTRIBUTED({pid},ffff4effd1e0,python):{DAY}-{at}.511.290 [mindspore/ccsrc/a.cc:679] {text}\n"


def plog(pid: int, stamp: str = "20240521110000123") -> str:
    """The name of a plog."""
    return f"plog-{pid}_{stamp}.log"
