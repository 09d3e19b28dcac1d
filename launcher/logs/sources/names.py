"""What the name of a log says: who wrote it, and on which host, rank, device or process. A table of layouts; pure.

Sources: facts/logs.md, section 1 (CANN, msnpureport, MindSpore, msrun, mpirun, MindCluster); the collection folder of
MindCluster's FaultDiag as its manual shows it (hiascend.com, "Log Collection Directory Structure"); the logs of a
training job in the manual of ModelArts; torchrun's `--log-dir`; the files of a Ray session.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from launcher.logs.record import Source
from launcher.logs.sources.rotation import Part, begun_at, part_of, plain


class Claims(NamedTuple):
    """What a name says of a process and its place; None where it says nothing.

    `weak_rank` may be a rank among those of its host alone: the number that msrun and torchrun give to a log.
    """

    host: str | None = None
    rank: int | None = None
    weak_rank: int | None = None
    device: int | None = None
    pid: int | None = None
    attempt: int | None = None

    def over(self, other: Claims) -> Claims:
        """These claims, and where they say nothing those of `other`."""
        known = {name: value for name, value in self._asdict().items() if value is not None}
        return other._replace(**known)


class Named(NamedTuple):
    """What a path says: `source` is None where only the contents can tell."""

    source: Source | None
    part: Part
    claims: Claims


class _Form(NamedTuple):
    """A form of file names; `under` has to be found in the path of the folder, which ends in a slash."""

    name: re.Pattern[str]
    source: Source
    under: re.Pattern[str] | None = None


def _form(name: str, source: Source, under: str | None = None) -> _Form:
    return _Form(re.compile(name), source, None if under is None else re.compile(f"(?:^|/){under}/"))


_ENDING = r"\.(?:log|txt|out|err)"

# The groups of a pattern are the fields of Claims; `began` is when a rotated file was begun, `log` what stays the same.
_FILES = (
    # What msnpureport fetched: the devices' system. Here the number in device-3_<time>.log is a device, not a process.
    _form(r"(?P<log>device-(?P<device>\d+))_(?P<began>\d+)\.log", Source.DEVICE, r"(?:dev-os-\d+|slog)(?:/.*)?"),
    _form(r"(?P<log>device-os(?:-\d+)?|event)_(?P<began>\d+)\.log", Source.DEVICE),
    _form(r"slogd(?:log)?(?:\..*)?|device_sys_init_ext\.log|device_info\.txt", Source.DEVICE),
    _form(r"(?P<log>host-\d+)_(?P<began>\d+)\.log", Source.PLOG),
    _form(r".*", Source.DEVICE, r"hisi_logs(?:/.*)?"),
    # CANN, for one process.
    _form(r"(?P<log>plog-(?P<pid>\d+))_(?P<began>\d+)\.log", Source.PLOG),
    _form(r"(?P<log>device-(?:app-)?(?P<pid>\d+))_(?P<began>\d+)\.log", Source.DEVICE),
    # MindSpore.
    _form(
        r"(?P<log>mindspore\.(?P<host>.+)\.[^.]+\.log\.[A-Z]+)\.(?P<began>\d{8}-\d{6})\.(?P<pid>\d+)", Source.FRAMEWORK
    ),
    _form(r"mindspore\.log\.(?P<pid>\d+)", Source.FRAMEWORK),
    _form(rf"(?:.*[-_.])?(?:scheduler|sched)(?:[-_]?\d+)?{_ENDING}", Source.SCHEDULER),
    # One log of each server or pod; ModelArts has one of each rank besides.
    _form(r"modelarts-job-.*-(?P<host>worker-\d+)\.log", Source.STDOUT),
    _form(r".*-proc-rank-(?P<rank>\d+)-device-(?P<device>\d+)(?:[-_.].*)?", Source.STDOUT),
    _form(
        rf"(?P<host>[\w.-]+-(?:worker|master)-\d+|(?:node|host|server)(?:[-_.]?\d+|[-_][a-zA-Z])){_ENDING}",
        Source.STDOUT,
    ),
    # Ray.
    _form(r"python-core-(?:worker|driver)-[0-9a-f]+[-_](?P<pid>\d+)\.log", Source.FRAMEWORK),
    _form(r"worker-[0-9a-f]{16,}-[0-9a-f]+-(?P<pid>\d+)\.(?:out|err)", Source.STDOUT),
    _form(
        r"(?:raylet|gcs_server|dashboard\w*|monitor|log_monitor|runtime_env_agent)\.(?:log|out|err)", Source.SCHEDULER
    ),
    # The host, and MindCluster on it.
    _form(r"messages|syslog|kern\.log|sysmonitor\.log|(?:.*[-_.])?dmesg(?:[-_.].*)?", Source.HOST),
    _form(r"(?:.*[-_.])?npu[-_]smi_(?P<device>\d+)_details\.csv|npu_(?P<device_>\d+)_details\.csv", Source.HOST),
    _form(r"(?:.*[-_.])?(?:npu[-_]?smi|hccn(?:_tool)?|npu_info|host_metrics)(?:[-_.].*)?", Source.HOST),
    _form(r"ascend_\w+_install\.info|version\.info", Source.HOST),
    _form(
        r".*",
        Source.HOST,
        r"(?:dl_log|mindx-dl|environment_check|devicePlugin|noded|volcano-\w+|npu-exporter|ascend-docker-runtime)(?:/.*)?",
    ),
    # npu-launch.
    _form(r"(?:events|shim)\.jsonl|(?:supervisor|shim|template)\.log|stacks\.txt", Source.LAUNCHER),
    # A rank's own output: rank-3.txt, train_rank3.log, msrun's worker_3.log, torchrun's 3/stderr.log, rank.3/stdout.
    _form(rf"(?:.*[-_.])?rank[-_.]?(?P<rank>\d+)(?:[-_.].*)?{_ENDING}|rank[-_.]?(?P<rank_>\d+)", Source.STDOUT),
    _form(rf"worker[-_]?(?P<weak_rank>\d+)(?:[-_.].*)?{_ENDING}", Source.STDOUT),
    _form(rf"(?:.*[-_.])?(?:device|npu|card)[-_]?(?P<device>\d+){_ENDING}", Source.STDOUT),
    _form(r"(?:stdout|stderr)(?:\.(?:log|txt))?|nohup\.out", Source.STDOUT),
)

_FOLDERS = (
    re.compile(r"(?:.*[-_.])?rank[-_.]?(?P<rank>\d+)"),
    re.compile(r"(?P<host>(?:[\w.-]*-)?(?:worker|master)-\d+)"),  # servers of FaultDiag and ModelArts, pods
    re.compile(r"worker_?(?P<weak_rank>\d+)"),
    re.compile(r"device[-_]?(?P<device>\d+)"),
    re.compile(r"(?P<host>(?:\d{1,3}[._-]){3}\d{1,3})(?:[-_].*)?"),
    re.compile(r"(?P<host>(?:node|host|server|machine|master)[-_.]?(?:\w[\w.-]*)?\d+)"),
    re.compile(r"(?P<host>(?:[\w.-]*-)?(?:node|host|server|machine)[-_.][a-zA-Z](?:\.[\w.-]+)?)"),  # node-a
    re.compile(r"(?P<host>(?:[\w.-]*-)?pod-\d+)"),
)
_ATTEMPT = re.compile(r"attempt_(\d{1,6})")


def named(path: str) -> Named:
    """What a path below a folder of logs says. The name of the file counts first, then that of the nearest folder."""
    folder, slash, name = path.rpartition("/")
    claims = _of_folders(folder.split("/") if folder else [])
    part = part_of(name)
    for form in _FILES:
        match = form.name.fullmatch(part.log) or form.name.fullmatch(plain(name))
        if match is None or (form.under is not None and form.under.search(folder + slash) is None):
            continue
        groups = {key.rstrip("_"): value for key, value in match.groupdict().items() if value is not None}
        if began := groups.pop("began", None):
            log, pid = groups.pop("log"), groups.get("pid", "")
            part = begun_at(log if log.endswith(pid) else f"{log}.{pid}", began)
        own = _claims(groups)
        host = claims.host or own.host  # what people call a host is the name of a folder rather than its hostname
        return Named(form.source, part, own.over(claims)._replace(host=host))
    return Named(None, part, claims)


def of_folder(name: str) -> Claims:
    """What the name of a folder says by itself."""
    match = next(filter(None, (form.fullmatch(name) for form in _FOLDERS)), None)
    return Claims() if match is None else _claims(match.groupdict())


def _of_folders(folders: list[str]) -> Claims:
    claims = Claims()
    for folder, within in zip(folders, [*folders[1:], ""], strict=False):
        if match := _ATTEMPT.fullmatch(folder):  # torchrun counts them from 0, and in each the ranks of its host
            local = int(within) if _is_number(within) else None
            claims = Claims(attempt=int(match[1]) + 1, weak_rank=local).over(claims)
        else:
            claims = of_folder(folder).over(claims)
    return claims


def _claims(groups: dict[str, str]) -> Claims:
    numbers = {key: int(value) for key, value in groups.items() if key != "host" and _is_number(value)}
    return Claims(host=groups.get("host"), **numbers)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10
