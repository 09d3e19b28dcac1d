"""`npu-launch gather`: what the hosts of a run have to tell, brought together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from launcher.cli.options import AttemptOption, RunArgument, raise_not

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.supervise.gather.outcome import FromHost, Gathered

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_LEAST: Final = 1 << 16  # bytes


def parse_size(text: str) -> int:
    """Bytes in a size such as 65536, 64KiB, 512MiB or 2GiB. Raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,15}) ?(?:([KMG])(?:iB)?)?", text, re.ASCII)
    size = int(found[1]) * _UNITS[found[2] or ""] if found else 0
    if size < _LEAST:
        raise_not("--limit", text, "a size such as 512MiB or 2GiB, 64KiB at least")
    return size


def gather(
    run: RunArgument = None,
    attempt: AttemptOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="SIZE",
            parser=parse_size,
            help="At most this much of each host, such as 2GiB; default: 512MiB.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Bring together what the hosts of a run have to tell.

    That is the logs of its ranks, those of CANN, and what npu-smi, hccn_tool
    and dmesg say, in the run's folder: at its home and on this machine. After
    a failure it is done without being asked; what could not be had then is
    had now. Ranks that run are not disturbed.

    \b
    npu-launch gather
    npu-launch gather resnext-64p-7f3a --attempt 1 --limit 2GiB

    \b
    Exit codes: 0 all hosts have answered, 4 some have not.
    """
    from launcher.cli.delegation import elsewhere
    from launcher.cli.output import put
    from launcher.errors import ExitCode
    from launcher.hosts.ways import open_reach
    from launcher.runs.store import find_run
    from launcher.specs import load_cluster
    from launcher.supervise.fleet.evidence import gather_at_home, gather_from_afar
    from launcher.supervise.gather.outcome import Limits

    found = find_run(run)
    limits = Limits() if limit is None else Limits(host_bytes=limit)
    if (away := elsewhere(found)) is not None:
        with away.ways as ways:
            cluster = load_cluster(found.layout.cluster)
            gathered, came = gather_from_afar(found, cluster, ways, away.at, attempt or 0, limits)
        lines = [*_lines(gathered), *_cut_on_the_way(came)]
    else:
        with open_reach(cluster := load_cluster(found.layout.cluster)) as ways:
            gathered = gather_at_home(found, cluster, ways, attempt or 0, limits)
        lines = _lines(gathered)
    put("\n".join([*lines, f"gathered in {_shown(found.layout.attempt(gathered.attempt).directory)}"]))
    return int(ExitCode.INFRASTRUCTURE if any(host.is_lost for host in gathered.hosts) else ExitCode.OK)


def _lines(gathered: Gathered) -> list[str]:
    """What came of each host, what was cut and where the rest is, and what could not be had."""
    from launcher.logs.safe import safe_line

    lines = []
    for host in gathered.hosts:
        lines.append(f"{host.host}: {host.files} files, {_size(host.bytes)}")
        lines += [
            f"  cut      {each.path}: {_size(each.kept)} of {_size(each.size)}; all of it is on {host.host}"
            for each in host.cut
        ]
        lines += [f"  not had  {each.what}: {each.why}" for each in host.missing]
    return list(map(safe_line, lines))


def _cut_on_the_way(came: FromHost) -> list[str]:
    from launcher.logs.safe import safe_line

    cut = (f"  cut here {each.path}: {_size(each.kept)} of {_size(each.size)}" for each in came.cut)
    return [safe_line(f"{line}; all of it is on {came.host}") for line in cut]


def _shown(path: Path) -> str:
    from launcher.logs.safe import safe_line

    return safe_line(str(path))


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB" if count >= 100 << 10 else f"{count / (1 << 10):,.1f} KiB"
