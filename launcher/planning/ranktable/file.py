"""A rank table as a file: what is wrong with it before its first byte is understood, and what it is called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from launcher.planning.placement import Seat
from launcher.planning.ranktable import rules
from launcher.planning.ranktable.check import LARGEST
from launcher.planning.ranktable.violation import Findings, Violation

_NAME_IT: Final = "name the file itself, such as hccl.json"


def read_file(path: Path) -> tuple[bytes | None, tuple[Violation, ...]]:
    """The bytes of a table's file, and what HCCL or torch_npu has against the file; None when it cannot be read."""
    found = Findings()
    content: bytes | None = None
    try:
        if path.is_symlink():
            found.add(rules.form.FILE_LINK, (), "a symbolic link", target=os.path.realpath(path))
        if path.exists() and not path.is_file():
            found.add(rules.form.FILE_UNREADABLE, (), "no file, but a folder or a device", path=path, remedy=_NAME_IT)
        else:
            with path.open("rb") as stream:
                content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        found.add(rules.form.FILE_MISSING, (), "there is no such file", path=path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        remedy = f"chmod a+r {path}" if isinstance(error, PermissionError) else _NAME_IT
        found.add(rules.form.FILE_UNREADABLE, (), why, path=path, remedy=remedy)
    if content is not None and path.suffix != ".json":
        found.add(rules.form.FILE_NAME, (), f"its name is {path.name}", path=path)
    return content, found.located({})


def conventional_name(seats: Sequence[Seat]) -> str:
    """The name that hccl_tools gives the table of one server, or of several (mindspore-ai/models, utils/hccl_tools).

    `hccl_8p_01234567_10.0.0.10.json` has 8 ranks, the ids of their devices, and the host's address; `hccl_2s_16p.json`
    has 2 servers and 16 ranks.
    """
    servers = dict.fromkeys(seat.host.machine for seat in seats)
    if len(servers) > 1:
        return f"hccl_{len(servers)}s_{len(seats)}p.json"
    ids = "".join(str(seat.device.id) for seat in seats)
    return f"hccl_{len(seats)}p_{ids}_{seats[0].host.address}.json"
