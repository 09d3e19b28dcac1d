"""Folders that are named after hosts, of which only their neighbours tell that they are. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from launcher.logs.record import Source
from launcher.logs.sources.names import Claims, Named, of_folder

# Folders of layouts, and what people call the folders of one host: numbers, dates and tries.
_OTHER = re.compile(
    r"debug|run|security|operation|plog|ascend|logs?|(?:process|device|train|dl|host)_logs?|environment_check|slog"
    r"|hisi_logs|ranks|services|hosts|attempts|var|files|output|crash|before|after|old|new|backup"
    r"|(?:run|test|try|job|attempt|first|second)[-_]?\d*|[\d_.:TZ-]+"
)


def host_folders(names: Iterable[tuple[str, Named]]) -> dict[str, str]:
    """The hosts that folders are named after, by the folders' paths: two or more beside each other, the outermost ones.

    Each of these holds files of a host (dmesg, messages, npu-smi), and its name is not that of anything else.
    """
    of_host = {
        str(folder)
        for name, said in names
        if said.source is Source.HOST
        for folder in PurePosixPath(name).parents
        if not _OTHER.fullmatch(folder.name) and folder.name and of_folder(folder.name) == Claims()
    }
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for folder in of_host:
        beside[str(PurePosixPath(folder).parent)].append(folder)
    found = {folder: PurePosixPath(folder).name for group in beside.values() if len(group) > 1 for folder in group}
    return {
        folder: host
        for folder, host in found.items()
        if not any(str(above) in found for above in PurePosixPath(folder).parents)
    }


def host_above(name: str, hosts: dict[str, str]) -> str | None:
    """The host whose folder a file lies in."""
    return next((hosts[str(up)] for up in PurePosixPath(name).parents if str(up) in hosts), None)
