"""Which kind of source a text is, told by what it says."""

from __future__ import annotations

import json
import re
from enum import Enum

from launcher.hosts.importing.hostfile import without_comment


class Kind(str, Enum):
    """What a cluster can be imported from."""

    RANK_TABLE = "rank table"
    CLUSTERD = "ClusterD table"
    HCCN_CONF = "hccn.conf"
    SLURM = "Slurm node list"
    HOSTFILE = "hostfile"


_HCCN_LINE = re.compile(r"^[^\S\n]*(address|netmask|gateway|netdetect)_[0-9]+[^\S\n]*=", re.MULTILINE)
_JSON = re.compile(r"\{|\[\s*[\]{\"]")  # what begins with [ is no table, but its reader says so
_NODE_LIST = re.compile(r"[^\s\[\],]*(\[[^\[\]\n]*\]|,)\S*")


def kind_of(text: str) -> Kind:
    """The kind that a text is most likely to be; whether it is sound is for its reader to say."""
    stripped = text.strip()
    if _JSON.match(stripped):
        return Kind.CLUSTERD if _has_groups(stripped) else Kind.RANK_TABLE
    if _HCCN_LINE.search(text):
        return Kind.HCCN_CONF
    lines = [line for line in map(without_comment, stripped.splitlines()) if line.strip()]
    is_list = len(lines) == 1 and _NODE_LIST.fullmatch(lines[0].strip()) and ":" not in lines[0]
    return Kind.SLURM if is_list else Kind.HOSTFILE


def _has_groups(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "server_group_list" in value
