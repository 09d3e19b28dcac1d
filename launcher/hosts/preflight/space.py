"""Whether there is room for what a run writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import Filesystem
from launcher.specs import Framework

SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - it is measured, not written to
TEMPORARY: Final = "/tmp"  # noqa: S108

_KB, _MB, _GB, _TB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
_CANN_LOGS: Final = 200 * _MB  # of a rank: 10 files of 20 MB (CANN environment variables, ASCEND_HOST_LOG_FILE_NUM)
_LEAST: Final = 256 * _KB  # below which not even the record of a run can be written
_FEW_FILES: Final = 1000


@dataclass(frozen=True)
class _Room:
    """How much of a file system should be free (bytes), and why."""

    wanted: int
    why: str
    remedy: str
    least: int = 0  # below which a run is refused


def check_space(subject: Subject) -> Iterator[Finding]:
    """File systems that are full, and those that are likely to be before the run has ended."""
    for host, report in subject.reported:
        for filesystem in report.filesystems:
            room = _room(filesystem.path, subject, subject.ranks_on.get(host.name, 0))
            if room is not None and (finding := _lacking(filesystem, room)) is not None:
                yield finding.at(host.name)


def _room(path: str, subject: Subject, ranks: int) -> _Room | None:
    on_npus = not subject.cluster.is_cpu
    if path == SHARED_MEMORY:
        if subject.recipe is not None and subject.recipe.framework is Framework.PLAIN:
            return None
        return _Room(
            _GB if on_npus else 65 * _MB,
            "data loaders hand batches over in it, and a container gets 64 MB unless told otherwise",
            "docker run --shm-size=16g or --ipc=host; or mount -o remount,size=16G /dev/shm",
        )
    if path == TEMPORARY:
        why = "sockets and claims of runs are there, and what frameworks compile"
        return _Room(_GB if on_npus else 64 * _MB, why, f"du -xh --max-depth=1 {path} | sort -h", _LEAST)
    return _Room(
        _GB + (_CANN_LOGS * ranks if on_npus else 0),
        f"logs and checkpoints{', of CANN alone 200 MB a rank' * on_npus}",
        f"du -xh --max-depth=1 {path} | sort -h; or keep runs elsewhere: NPU_LAUNCH_HOME",
        _LEAST,
    )


def _lacking(filesystem: Filesystem, room: _Room) -> Finding | None:
    where = f"in the file system of {filesystem.path}"
    inodes = filesystem.inodes_free
    if inodes is not None and inodes < _FEW_FILES:
        is_full = inodes == 0 and room.least > 0
        return Finding(
            Severity.REFUSE if is_full else Severity.WARN,
            Check.SPACE,
            f"{'No space left: ' * is_full}{inodes} files more fit {where}",
            f"{_FEW_FILES} or more: each rank has some",
            f"df -i {filesystem.path}; du --inodes -x --max-depth=1 {filesystem.path} | sort -n",
        )
    if filesystem.free >= room.wanted:
        return None
    is_full = filesystem.free < room.least
    return Finding(
        Severity.REFUSE if is_full else Severity.WARN,
        Check.SPACE,
        f"{'No space left: ' * is_full}{_size(filesystem.free)} of {_size(filesystem.total)} are free {where}",
        f"{_size(room.wanted)} or more: {room.why}",
        room.remedy,
    )


def _size(size: int) -> str:
    for unit, name in ((_TB, "TB"), (_GB, "GB"), (_MB, "MB"), (_KB, "KB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
