"""What `npu-launch ranktable --check` does: a table by itself, and against the hosts of a cluster.

`--json` prints one document; new keys may come, none goes or changes its meaning:
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
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from launcher.errors import NpuLaunchError
    from launcher.hosts.rank_table_check import Mismatch
    from launcher.hosts.report import HostReport
    from launcher.planning.ranktable.formats import RankTable
    from launcher.planning.ranktable.violation import Violation
    from launcher.specs import Cluster

BUDGET: Final = 10.0  # seconds that all hosts together have for their answers


def check_rank_table(path: Path, cluster_file: Path | None, as_json: bool) -> int:
    """Print all that is wrong with a table, by itself or on the hosts of a cluster; the exit code says what that is."""
    from launcher.errors import ExitCode
    from launcher.planning.ranktable.check import check_table
    from launcher.planning.ranktable.file import read_file
    from launcher.specs.servers import SERVERS

    cluster = None if cluster_file is None else _cluster(cluster_file)
    content, violations = read_file(path)
    table = None if content is None else _readable(content)
    answers: Mapping[str, HostReport | NpuLaunchError] = {}
    if cluster is not None and table is not None:
        answers = _ask(cluster, table)
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
    from launcher.planning.ranktable.reading import read_table

    try:
        return read_table(content, "")
    except SpecError:
        return None


def _ask(cluster: Cluster, table: RankTable) -> Mapping[str, HostReport | NpuLaunchError]:
    """What the hosts of the table say of themselves; the others of the cluster are not asked."""
    from launcher.cli.output import talk
    from launcher.cli.wording import count
    from launcher.hosts.rank_table_check import hosts_of
    from launcher.hosts.reading.request import Level
    from launcher.hosts.survey import Request, survey_hosts
    from launcher.hosts.ways import open_reach

    hosts = hosts_of(table, cluster.hosts)
    if not hosts:
        return {}
    talk(f"npu-launch: asking {count(len(hosts), 'host')}, for {BUDGET:g} s at most")
    with open_reach(cluster) as reach:
        return survey_hosts(hosts, Request(level=Level.FAST), reach, BUDGET)


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
    from launcher.hosts.rank_table_check import hosts_of

    lines = violation_lines(violations, str(path))
    lines += mismatch_lines(mismatches or ())
    lines += unreached_lines(unreached)
    refusals = [fault.is_refused for faults in (violations, mismatches or ()) for fault in faults]
    lines.append(summary_line(str(path), _what(content, table), refusals.count(True), refusals.count(False)))
    if cluster is not None and mismatches is None:
        lines.append("it was not compared with the hosts: it cannot be read")
    elif cluster is not None and table is not None and not hosts_of(table, cluster.hosts):
        lines.append("it was not compared with the hosts: none of its servers is one of the cluster")
    elif cluster is None and table is not None and getattr(table, "version", "") == "1.0":
        lines.append("which devices a job may have was not checked: version 1.0 does not say the chip; give -c CLUSTER")
    put("\n".join(lines))


def _what(content: bytes | None, table: RankTable | None) -> str:
    from launcher.cli.wording import count
    from launcher.planning.ranktable.formats import format_of
    from launcher.planning.ranktable.reading import ranks_of

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
    from launcher.planning.ranktable.formats import format_of
    from launcher.planning.ranktable.reading import ranks_of

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
