"""`npu-launch ranktable`: write the rank table of a cluster, or say everything that is wrong with one.

`--check --json` prints one document; new keys may come, none goes or changes its meaning:
  version (1), file, format (1.0, 1.2, 2.0, legacy, legacy-lab; null when it cannot be told), servers, ranks (null when
    the table cannot be read), refused (whether HCCL would not start with it)
  violations, in the order of the file: rule, severity (refused, warning), path (in the JSON), line, column (from 1;
    null for the file as a whole), seen, codes (of HCCL; that of older CANN first), says (HCCL's text), remedy, source
  mismatches (with -c; else null), in the order of ranks: severity, host, device, rank, path, seen, said (by source:
    rank table, hccn.conf, hccn_tool, /dev, npu-smi; null: it says nothing), odd (sources that differ from what two
    others say), codes, says, remedy
  unreached (with -c; else null): host, error
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launcher.cli.options import JsonOption, one_of, whole_number

if TYPE_CHECKING:
    from launcher.errors import NpuLaunchError
    from launcher.hosts.rank_table_check import Mismatch
    from launcher.hosts.report import HostReport
    from launcher.planning.placement import Seat
    from launcher.planning.ranktable import RankTable, Violation
    from launcher.specs import Cluster

_FORMATS = ("auto", "1.0", "1.2", "2.0", "legacy", "legacy-lab")
BUDGET = 10.0  # seconds that all hosts together have for their answers


def ranktable(
    cluster: Annotated[
        Path | None,
        typer.Argument(metavar="[CLUSTER]", help="Whose table to write: a YAML file.", show_default=False),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar=f"[{'|'.join(_FORMATS)}]",
            parser=one_of("--format", *_FORMATS),
            help="Version of the table; auto: what the chip needs.",
        ),
    ] = "auto",
    ranks: Annotated[
        int | None,
        typer.Option(
            "--ranks",
            metavar="N",
            parser=whole_number("--ranks", 1),
            help="Only so many ranks, on the first devices; default: one on each device but those of spares.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE|FOLDER/",
            help="Write it there instead of to stdout; in a folder it gets the name that hccl_tools gives.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write it even if HCCL would refuse it, or over what is no rank table.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Say what is wrong with this table instead of writing one.",
            show_default=False,
        ),
    ] = None,
    hosts: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--cluster",
            metavar="FILE",
            help="With --check: compare the table with the hosts of this cluster, too.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Write the rank table of a cluster, or check one.

    \b
    npu-launch ranktable clusters/two_nodes.yaml > hccl.json
    npu-launch ranktable cluster.yaml --out ./         hccl_2s_16p.json
    npu-launch ranktable --check hccl.json
    npu-launch ranktable --check hccl.json -c cluster.yaml

    \b
    Exit codes: 0 sound, or warnings only; 2 HCCL would refuse the table;
    3 the hosts are not what the table says; 4 a host could not be asked.
    """
    from launcher.errors import UsageError

    if check is not None:
        if cluster is not None or ranks is not None or out is not None or force or format != "auto":
            raise UsageError("--check goes with -c and --json only", remedy=f"npu-launch ranktable --check {check}")
        return _check(check, hosts, as_json)
    if cluster is None or hosts is not None or as_json:
        raise UsageError(
            "no cluster to write the table of" if cluster is None else "-c and --json go with --check",
            expected="npu-launch ranktable CLUSTER, or npu-launch ranktable --check FILE",
        )
    return _write(cluster, format, ranks, out, force)


def _write(path: Path, format: str, ranks: int | None, out: Path | None, force: bool) -> int:
    from launcher.cli.output import put, talk
    from launcher.cli.ranktable_text import violation_lines
    from launcher.errors import ExitCode
    from launcher.planning.placement import place_ranks
    from launcher.planning.ranktable import check_table, choose_format, rank_table
    from launcher.specs import load_cluster, recipe_from_mapping
    from launcher.specs.servers import SERVERS

    cluster = load_cluster(path)
    # MindSpore's order of ranks, by server_id as a text, is right for all frameworks.
    job = {"name": "table", "framework": "mindspore", "script": "-", "relative_to": "/"}
    usual = sum(len(host.device_list) for host in cluster.hosts if not host.spare)
    seats = place_ranks(recipe_from_mapping({**job, "ranks": ranks or usual}), cluster)
    choice = choose_format(seats, cluster, format)
    text = rank_table(seats, cluster, choice.format).to_json()
    server = SERVERS.get(cluster.server or "")
    violations = check_table(text, soc=cluster.soc, server=server)
    target = None if out is None else _target(out, seats)
    name = str(target) if target else "the table"
    for line in violation_lines(violations, name):
        talk(line)
    refused = sum(violation.is_refused for violation in violations)
    if refused and not force:
        talk(f"npu-launch: nothing was written: HCCL would refuse the table; mend {path}, or use --force")
        return ExitCode.USAGE
    if target is None:
        put(text.rstrip("\n"))
    else:
        _save(target, text, force)
    written = f"; wrote {target}" if target else ""
    talk(f"npu-launch: rank table {choice.format.value}, {_size(seats)}: {choice.reason}{written}")
    return ExitCode.OK


def _size(seats: Sequence[Seat]) -> str:
    from launcher.cli.wording import count

    servers = len({seat.host.machine for seat in seats})
    return f"{count(len(seats), 'rank')} on {count(servers, 'server')}"


def _target(out: Path, seats: Sequence[Seat]) -> Path:
    """The file to write: in a folder, the name by convention."""
    from launcher.planning.ranktable.file import conventional_name

    return out / conventional_name(seats) if out.is_dir() else out


def _save(path: Path, text: str, force: bool) -> None:
    """Write the file whole or not at all, for all users to read, as ranks in containers may be others.

    Raises UsageError for a name that HCCL does not take, and for a file that is no rank table.
    """
    from launcher.errors import SpecError, UsageError
    from launcher.planning.ranktable import read_table
    from launcher.runs.store import write_file

    if path.suffix != ".json" and not force:
        raise UsageError("HCCL takes only a file whose name ends in .json", where=str(path), expected="hccl.json")
    if path.exists() and not force:
        try:
            read_table(path.read_bytes() if path.is_file() else b"", str(path))
        except (SpecError, OSError):
            raise UsageError(
                "is there already, and is no rank table", where=str(path), remedy="give another --out, or use --force"
            ) from None
    write_file(path, text)
    path.chmod(0o644)


def _check(path: Path, cluster_file: Path | None, as_json: bool) -> int:
    from launcher.errors import ExitCode
    from launcher.planning.ranktable import check_table
    from launcher.planning.ranktable.file import read_file
    from launcher.specs.servers import SERVERS

    cluster = None if cluster_file is None else _cluster(cluster_file)
    content, violations = read_file(path)
    table = None if content is None else _readable(content)
    answers: Mapping[str, HostReport | NpuLaunchError] = {}
    if cluster is not None and table is not None:
        answers = _ask(cluster)
    reports = {host: answer for host, answer in answers.items() if not isinstance(answer, Exception)}
    unreached = [(host, answer) for host, answer in answers.items() if isinstance(answer, Exception)]
    if content is not None:
        violations += check_table(
            content,
            soc=cluster.soc if cluster else None,
            server=SERVERS.get(cluster.server or "") if cluster else None,
            cann_version=_cann_version(reports),
        )
    mismatches = _compare(table, cluster, reports)
    if as_json:
        _put_document(path, table, violations, mismatches, unreached)
    else:
        _put_text(path, content, table, violations, mismatches, unreached, cluster)
    if any(violation.is_refused for violation in violations):
        return ExitCode.USAGE
    if any(mismatch.is_refused for mismatch in mismatches or ()):
        return ExitCode.PREFLIGHT_REFUSED
    return ExitCode.INFRASTRUCTURE if unreached else ExitCode.OK


def _cluster(path: Path) -> Cluster:
    """Raises UsageError for a cluster that has no devices."""
    from launcher.errors import UsageError
    from launcher.specs import load_cluster

    cluster = load_cluster(path)
    if cluster.is_cpu:
        raise UsageError("a cluster of soc CPU has no devices to compare with", where=str(path))
    return cluster


def _readable(content: bytes) -> RankTable | None:
    """The table, when it can be read; what it is not readable for, its check tells."""
    from launcher.errors import SpecError
    from launcher.planning.ranktable import read_table

    try:
        return read_table(content, "")
    except SpecError:
        return None


def _ask(cluster: Cluster) -> Mapping[str, HostReport | NpuLaunchError]:
    from launcher.cli.output import talk
    from launcher.cli.wording import count
    from launcher.hosts.reading.request import Level
    from launcher.hosts.survey import Request, survey_hosts
    from launcher.hosts.ways import open_reach

    talk(f"npu-launch: asking {count(len(cluster.hosts), 'host')}, for {BUDGET:g} s at most")
    with open_reach(cluster) as reach:
        return survey_hosts(cluster.hosts, Request(level=Level.FAST), reach, BUDGET)


def _cann_version(reports: Mapping[str, HostReport]) -> str | None:
    """The version that a host of the job reports; whether all have the same is for `npu-launch check` to say."""
    packages = (report.packages.get("cann") for report in reports.values())
    return next((package.version for package in packages if package), None)


def _compare(
    table: RankTable | None, cluster: Cluster | None, reports: Mapping[str, HostReport]
) -> tuple[Mismatch, ...] | None:
    from launcher.hosts.rank_table_check import compare_with_hosts

    if table is None or cluster is None:
        return None
    return compare_with_hosts(table, cluster.hosts, reports)


Unreached = Sequence[tuple[str, "NpuLaunchError"]]


def _put_text(
    path: Path,
    content: bytes | None,
    table: RankTable | None,
    violations: Sequence[Violation],
    mismatches: Sequence[Mismatch] | None,
    unreached: Unreached,
    cluster: Cluster | None,
) -> None:
    from launcher.cli.output import put
    from launcher.cli.ranktable_text import mismatch_lines, summary_line, unreached_lines, violation_lines

    lines = violation_lines(violations, str(path))
    lines += mismatch_lines(mismatches or ())
    lines += unreached_lines(unreached)
    refusals = [fault.is_refused for faults in (violations, mismatches or ()) for fault in faults]
    lines.append(summary_line(str(path), _what(content, table), refusals.count(True), refusals.count(False)))
    if cluster is not None and mismatches is None:
        lines.append("it was not compared with the hosts: it cannot be read")
    elif cluster is None and table is not None and getattr(table, "version", "") == "1.0":
        lines.append("which devices a job may have was not checked: version 1.0 does not say the chip; give -c CLUSTER")
    put("\n".join(lines))


def _what(content: bytes | None, table: RankTable | None) -> str:
    from launcher.cli.wording import count
    from launcher.planning.ranktable import format_of, ranks_of

    if table is None:
        return "no file that can be read" if content is None else "no rank table that can be read"
    ranks = ranks_of(table)
    format = format_of(table)
    servers = len({entry.server for entry in ranks})
    return f"rank table {format.value if format else ''}, {count(len(ranks), 'rank')} on {count(servers, 'server')}"


def _put_document(
    path: Path,
    table: RankTable | None,
    violations: Sequence[Violation],
    mismatches: Sequence[Mismatch] | None,
    unreached: Unreached,
) -> None:
    import json
    from dataclasses import asdict

    from launcher.cli.output import put
    from launcher.planning.ranktable import format_of, ranks_of

    ranks = None if table is None else ranks_of(table)
    format = None if table is None else format_of(table)
    document: dict[str, Any] = {
        "version": 1,
        "file": str(path),
        "format": format.value if format else None,
        "servers": None if ranks is None else len({entry.server for entry in ranks}),
        "ranks": None if ranks is None else len(ranks),
        "refused": any(violation.is_refused for violation in violations),
        "violations": [asdict(violation) for violation in violations],
        "mismatches": None
        if mismatches is None
        else [{**asdict(mismatch), "said": dict(mismatch.said)} for mismatch in mismatches],
        "unreached": None if mismatches is None else [{"host": host, "error": str(error)} for host, error in unreached],
    }
    put(json.dumps(document, indent=2))
