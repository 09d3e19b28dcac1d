"""What launchers and containers put before each line of a process: stripped, and kept as who wrote the line."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from launcher.logs.grammar.clock import Clock, iso_time
from launcher.logs.grammar.header import whole_number
from launcher.logs.safe import safe_line

_ISO = r"(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)"

# torchrun and torch `[rank0]: `, torchrun `[default0]:`, Open MPI `[1,0]<stderr>: `, Ray and vLLM
# `(WorkerDict pid=7435, ip=172.16.22.183) `, `(VllmWorker TP1 pid=961) `, vLLM-Omni `[Stage-0] `, docker compose
# `name-1  | `, Kubernetes `2025-01-01T00:00:00.5+08:00 stdout F ` and `[pod/name/container] `, grep's
# `plog-1_2.log:147:`.
PREFIX = re.compile(
    r"(?:"
    r"\[rank(?P<rank>\d+)\]: ?"
    r"|\[default\d+\]: ?"
    r"|\[\d+,(?P<mpi>\d+)\]<std(?:out|err)>: ?"
    r"|\([A-Za-z_][\w.<>-]*(?: \w+)*?(?: rank=(?P<worker>\d+))? pid=(?P<pid>\d+)(?:, ip=[^)\s]*)?\) ?"
    r"|\[Stage-\d+\] "
    r"|\[pod/[^\]\s]+\] "
    rf"|{_ISO} std(?:out|err) [FP] "
    r"|[A-Za-z][\w.]*(?:[-_][\w.]+)+ {2,}\| "
    r"|[\w./-]+\.log:\d+:(?=\[)"
    r")",
    re.ASCII,
)

# Nothing else can begin a prefix that is worth a look; see `PREFIX`.
_BRACKETS = ("[rank", "[defa", "[1,", "[Stag", "[pod/")

_STAMP = re.compile(_ISO, re.ASCII)

_MOST = 4


class Prefix(NamedTuple):
    """Who wrote a line: `key` is the prefix as written, the same for all lines of one process; and what is left."""

    text: str
    key: str = ""
    rank: int | None = None
    pid: int | None = None
    time: float | None = None


def split_prefix(text: str, clock: Clock) -> Prefix | None:
    """Who wrote a line, by its prefixes; None for a line without."""
    if not _may_begin(text):
        return _of_docker(text, clock) if text.startswith('{"log":"') else None
    whole = text
    key = ""
    rank = pid = None
    time = None
    for _ in range(_MOST):
        match = PREFIX.match(text)
        if match is None:
            break
        if match["stamp"]:
            time = iso_time(match["stamp"], clock, match["fraction"] or "", match["zone"])
        elif match[0][:1] in "[(" or "|" in match[0]:
            key += match[0]
        for name in ("rank", "mpi", "worker"):
            rank = rank if match[name] is None else whole_number(match[name])
        pid = pid if match["pid"] is None else whole_number(match["pid"])
        text = text[match.end() :]
    return None if text is whole else Prefix(text, key.rstrip(), rank, pid, time)


def _of_docker(text: str, clock: Clock) -> Prefix | None:
    """A line of Docker's json-file driver: `{"log":"text\\n","stream":"stdout","time":"2025-01-01T00:00:00.5Z"}`."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    log, time = entry.get("log"), entry.get("time")
    if not isinstance(log, str) or not isinstance(time, str) or (stamp := _STAMP.fullmatch(time)) is None:
        return None
    message = safe_line(log.rstrip("\n"))
    inner = split_prefix(message, clock) or Prefix(message)
    when = iso_time(stamp["stamp"], clock, stamp["fraction"] or "", stamp["zone"])
    return inner if inner.time is not None else inner._replace(time=when)


def _may_begin(text: str) -> bool:
    first = text[:1]
    if first == "[":
        return text.startswith(_BRACKETS)
    if first == "(":
        return " pid=" in text[:120]
    if first.isdigit() and text[10:11] == "T":
        return " std" in text[:50]
    return first.isalnum() and ("  | " in text[:60] or ".log:" in text[:300])
