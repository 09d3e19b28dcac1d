"""`npu-launch discover`: a cluster spec of what hosts report, or of what a file of another program says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from launcher.cli.options import JsonOption, whole_number

if TYPE_CHECKING:
    from launcher.errors import NpuLaunchError
    from launcher.hosts.discovery import Discovery
    from launcher.hosts.importing import Given
    from launcher.hosts.report import HostReport
    from launcher.specs import Cluster

REMARKS: Final = 40  # that are told beside the spec
SECONDS: Final = 20.0  # that all hosts together have for their answers


def discover(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOST",
            help="Whom to ask over ssh: node1, user@10.0.0.7, node[001-064]; default: this machine.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Ask nobody: take it from a rank table, a hostfile or a Slurm node list; or from HOST=FILE, a host's "
            "hccn.conf, which may be repeated.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the spec there instead of to stdout.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Call the cluster this.", show_default=False)
    ] = None,
    soc: Annotated[
        str | None,
        typer.Option("--soc", metavar="SOC", help="With --from: the chip, such as Ascend910B3.", show_default=False),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="SERVER", help="With --from: the product of the hosts.", show_default=False),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            "--devices",
            metavar="N",
            parser=whole_number("--devices", 1),
            help="With --from: devices of a host of which the file does not tell.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Write a cluster spec of what hosts report.

    \b
    npu-launch discover                                  this machine
    npu-launch discover node[001-004] --out cluster.yaml
    npu-launch discover --from hccl.json
    """
    from launcher.cli.output import talk
    from launcher.errors import ExitCode, UsageError
    from launcher.hosts.discovery import discover as discovery_of
    from launcher.hosts.discovery_text import write_discovery
    from launcher.logs.safe import safe_line

    if source and hosts:
        raise UsageError("HOST and --from are both given", expected="hosts to ask, or files to read")
    if not source and (soc, server, devices) != (None, None, None):
        raise UsageError("--soc, --server or --devices without --from", expected="none: hosts themselves tell it")
    if out is not None and (out.exists() or out.is_symlink()):
        raise UsageError("is there already", where=str(out), remedy="give another --out, or move that file away")
    if out is not None and not out.parent.is_dir():
        raise UsageError("is no folder", where=str(out.parent), expected="--out in a folder that is there")
    if source:
        from launcher.hosts.importing import Given
        from launcher.specs import dump_yaml

        cluster = _imported(source, Given(name or "imported", soc, server, devices))
        _give(dump_yaml(cluster), {"cluster": _spec(cluster)} if as_json else None, out)
        return ExitCode.OK
    asked = _asked(name or ("discovered" if hosts else "this-machine"), hosts or [])
    answers = _answers(asked)
    found = discovery_of(asked.name, asked.hosts, answers)
    _give(write_discovery(found), _document(found, answers) if as_json else None, out)
    for remark in found.remarks.loud[:REMARKS]:
        talk(f"npu-launch: {safe_line(remark)}")
    if len(found.remarks.loud) > REMARKS:
        talk(f"npu-launch: {len(found.remarks.loud) - REMARKS} more remarks are comments in the spec")
    for host in found.without_npus:
        talk(f"npu-launch: {safe_line(host)} has no NPUs: it is not in the spec")
    for error in found.failed.values():
        talk("\n".join(safe_line(line) for line in f"npu-launch: not in the spec: {error}".split("\n")))
    if found.failed:
        return ExitCode.INFRASTRUCTURE
    return ExitCode.PREFLIGHT_REFUSED if found.without_npus else ExitCode.OK


def _asked(name: str, hosts: Sequence[str]) -> Cluster:
    """The hosts that are named as a cluster, whose devices are still to be found; without names this machine.

    Raises SpecError for a name that is none, and for a host that is named twice, and UsageError for an NPU_LAUNCH_ROOT
    that is no folder.
    """
    import socket

    from launcher.hosts.discovery import LOOPBACK
    from launcher.hosts.this_machine import machine_root
    from launcher.specs import cluster_from_mapping

    if not hosts:
        machine_root()
    entries = [_entry(number, text) for number, text in enumerate(hosts, 1)]
    here = {"name": socket.gethostname() or "localhost", "address": LOOPBACK, "devices": 1}
    return cluster_from_mapping({"name": name, "soc": "CPU", "hosts": entries or [here]}, "npu-launch discover")


def _entry(number: int, text: str) -> dict[str, Any]:
    """A host of the command line, `[USER@]HOST`, as a cluster spec has it. An IPv6 address can be no host's name."""
    user, _, host = text.rpartition("@")
    is_ipv6 = ":" in host
    address = host[1:-1] if is_ipv6 and host.startswith("[") and host.endswith("]") else host
    entry: dict[str, Any] = {"name": f"host-{number}" if is_ipv6 else host, "address": address, "devices": 1}
    return entry | ({"ssh": {"user": user}} if user else {})


def _answers(asked: Cluster) -> Mapping[str, HostReport | NpuLaunchError]:
    from launcher.hosts.survey import Request, survey_hosts
    from launcher.hosts.ways import open_reach

    with open_reach(asked) as reach:
        return survey_hosts(asked.hosts, Request(), reach, SECONDS)


def _imported(sources: Sequence[str], given: Given) -> Cluster:
    from launcher.cli.output import talk
    from launcher.hosts.importing import import_cluster

    found = import_cluster(*sources, given=given)
    talk(f"npu-launch: {len(found.cluster.hosts)} hosts of {found.kind.value}; no host was asked")
    return found.cluster


def _give(text: str, document: dict[str, Any] | None, out: Path | None) -> None:
    """The spec to its file or to stdout, where a document takes its place."""
    import json

    from launcher.cli.output import put, talk
    from launcher.errors import UsageError

    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise UsageError(error.strerror or str(error), where=str(out), expected="a file to write") from None
        talk(f"npu-launch: wrote {out}")
    if document is not None:
        put(json.dumps(document, indent=2))
    elif out is None:
        put(text.rstrip("\n"))


def _document(found: Discovery, answers: Mapping[str, HostReport | NpuLaunchError]) -> dict[str, Any]:
    """What was found, for programs: the spec, the reports it was made of, and who is not in it."""
    from dataclasses import asdict

    from launcher.hosts.report import HostReport

    return {
        "cluster": _spec(found.cluster),
        "remarks": found.remarks.loud,
        "reports": {host: asdict(report) for host, report in answers.items() if isinstance(report, HostReport)},
        "failed": {host: str(error) for host, error in found.failed.items()},
        "without_npus": found.without_npus,
    }


def _spec(cluster: Cluster) -> dict[str, Any]:
    return cluster.written().model_dump(mode="json", exclude_none=True)
