"""`npu-launch ranktable`: write the rank table of a cluster, or say everything that is wrong with one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import JsonOption, one_of, whole_number

if TYPE_CHECKING:
    from launcher.planning.placement import Seat

_FORMATS = ("auto", "1.0", "1.2", "2.0", "legacy", "legacy-lab")


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
        str | None,
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
        from launcher.cli.ranktable_check import check_rank_table

        return check_rank_table(check, hosts, as_json)
    if cluster is None or hosts is not None or as_json:
        raise UsageError(
            "no cluster to write the table of" if cluster is None else "-c and --json go with --check",
            expected="npu-launch ranktable CLUSTER, or npu-launch ranktable --check FILE",
        )
    return _write(cluster, format, ranks, out, force)


def _write(path: Path, format: str, ranks: int | None, out: str | None, force: bool) -> int:
    from launcher.cli.output import put, talk
    from launcher.cli.ranktable_text import violation_lines
    from launcher.errors import ExitCode, InfrastructureError
    from launcher.planning.placement import place_ranks
    from launcher.planning.ranktable.check import check_table
    from launcher.planning.ranktable.formats import choose_format, rank_table
    from launcher.specs import load_cluster, recipe_from_mapping
    from launcher.specs.servers import SERVERS

    cluster = load_cluster(path)
    # MindSpore's order of ranks, by server_id as a text, is right for all frameworks.
    job = {"name": "table", "framework": "mindspore", "script": "-", "relative_to": "/"}
    usual = sum(len(host.device_list) for host in cluster.hosts if not host.spare)
    seats = place_ranks(recipe_from_mapping({**job, "ranks": ranks or usual or cluster.device_count}), cluster)
    choice = choose_format(seats, cluster, format)
    text = rank_table(seats, cluster, choice.format).to_json()
    server = SERVERS.get(cluster.server or "")
    violations = check_table(text, soc=cluster.soc, server=server)
    for line in violation_lines(violations, "the table"):
        talk(line)
    refused = sum(violation.is_refused for violation in violations)
    if refused and not force:
        talk(f"npu-launch: nothing was written: HCCL would refuse the table; mend {path}, or use --force")
        return ExitCode.USAGE
    written = ""
    if out is None:
        put(text.rstrip("\n"))
    else:
        try:
            target = _target(out, seats)
            _save(target, text, force)
        except OSError as error:
            raise InfrastructureError(
                f"cannot be written: {error.strerror}",
                where=out,
                expected="a folder that you may write to, with room left",
            ) from error
        written = f"; wrote {target}"
    talk(f"npu-launch: rank table {choice.format.value}, {_size(seats)}: {choice.reason}{written}")
    return ExitCode.OK


def _size(seats: Sequence[Seat]) -> str:
    from launcher.cli.wording import count

    servers = len({seat.host.machine for seat in seats})
    return f"{count(len(seats), 'rank')} on {count(servers, 'server')}"


def _target(out: str, seats: Sequence[Seat]) -> Path:
    """The file to write: in a folder, the name by convention. Raises UsageError for no name, or no such folder."""
    from launcher.errors import UsageError
    from launcher.planning.ranktable.file import conventional_name

    if not out:
        raise UsageError("--out is empty", expected="a file, or a folder as in ./")
    path = Path(out)
    target = path / conventional_name(seats) if out.endswith("/") or path.is_dir() else path
    if not target.parent.is_dir():
        raise UsageError("no such folder", where=str(target.parent), remedy=f"mkdir -p {target.parent}")
    return target


def _save(path: Path, text: str, force: bool) -> None:
    """Write the file whole or not at all, for all users to read, as ranks in containers may be others.

    Raises UsageError for a name that HCCL does not take, and for a file that is no rank table, and OSError when it
    cannot be written.
    """
    from launcher.errors import UsageError

    if path.suffix != ".json" and not force:
        raise UsageError("HCCL takes only a file whose name ends in .json", where=str(path), expected="hccl.json")
    if path.exists() and not force and not _is_table(path):
        raise UsageError(
            "is there already, and is no rank table", where=str(path), remedy="give another --out, or use --force"
        )
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.chmod(0o644)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise


def _is_table(path: Path) -> bool:
    from launcher.errors import SpecError
    from launcher.planning.ranktable.file import read_file
    from launcher.planning.ranktable.reading import read_table

    content, _ = read_file(path)
    try:
        return content is not None and bool(read_table(content, str(path)))
    except SpecError:
        return False
