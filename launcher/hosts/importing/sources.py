"""Imports a cluster from files, or from a node list as it stands on a command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.errors import SpecError
from launcher.hosts.importing.given import Given, cluster_of_names
from launcher.hosts.importing.hccn_conf import read_devices
from launcher.hosts.importing.hostfile import read_hostfile
from launcher.hosts.importing.kind import Kind, kind_of
from launcher.hosts.importing.node_list import read_node_list
from launcher.hosts.importing.tables import read_clusterd, read_rank_table
from launcher.specs import Cluster
from launcher.specs.files import read_text
from launcher.specs.host_patterns import is_pattern

LARGEST: Final = 100_000_000

_NOTHING: Final = Given()
_EXPECTED: Final = "a rank table, a hostfile, a Slurm node list, or HOST=FILE for the hccn.conf of each host"


@dataclass(frozen=True)
class Imported:
    """A cluster, and what it was taken from."""

    kind: Kind
    cluster: Cluster


def import_cluster(*sources: str | Path, kind: Kind | None = None, given: Given = _NOTHING) -> Imported:
    """The cluster that one file describes, or the `hccn.conf` files of several hosts, each as `HOST=FILE`.

    A text that names no file and has brackets or commas, or is that of SLURM_JOB_NODELIST, is a Slurm node list. `kind`
    is told by the content unless it is given. Raises SpecError with file, line and column of what is wrong; a source is
    never taken for empty.
    """
    if not all(map(str, sources)):
        remedy = "look whether the variable is set: SLURM_JOB_NODELIST is, inside an allocation"
        raise SpecError("the name of a source is empty", expected=_EXPECTED, remedy=remedy)
    if not sources:
        raise SpecError("nothing to import from", expected=_EXPECTED)
    pairs = [_split(str(source)) for source in sources]
    if any(host for host, _ in pairs):
        return Imported(Kind.HCCN_CONF, _import_confs(pairs, given))
    if len(sources) > 1:
        raise SpecError(f"{len(sources)} sources", expected=f"one; several only as HOST=FILE. {_EXPECTED}")
    source = str(sources[0])
    is_text = is_pattern(source) or source == os.environ.get("SLURM_JOB_NODELIST")  # which may be one name, as in node1
    is_list = kind is Kind.SLURM or (is_text and "/" not in source)
    if is_list and not Path(source).is_file():
        where, text, kind = "node list", source, Kind.SLURM
    else:
        where, text = source, _text(source)
    if not text.strip():
        raise SpecError("is empty", where=where, expected=_EXPECTED)
    if "\0" in text:
        raise SpecError("is not text: it holds a NUL character", where=where, expected=_EXPECTED)
    kind = kind or kind_of(text)
    return Imported(kind, _read(kind, text, given, where))


def _read(kind: Kind, text: str, given: Given, where: str) -> Cluster:
    if kind is Kind.RANK_TABLE:
        return read_rank_table(text, given, where)
    if kind is Kind.CLUSTERD:
        return read_clusterd(text, given, where)
    if kind is Kind.SLURM:
        return cluster_of_names(read_node_list(text, where), given, where)
    if kind is Kind.HOSTFILE:
        return cluster_of_names(read_hostfile(text, where), given, where)
    raise SpecError(
        "is the hccn.conf of a host, but does not say of which",
        where=where,
        expected="HOST=FILE for each host",
        remedy=f"write node1={where}, with the host's own name or address",
    )


def _import_confs(pairs: Sequence[tuple[str, str]], given: Given) -> Cluster:
    alone = next((file for host, file in pairs if not host), None)
    if alone is not None:
        raise SpecError("does not say of which host it is", where=alone, expected="HOST=FILE, as the others")
    return cluster_of_names([read_devices(host, _text(file), file) for host, file in pairs], given, "hccn.conf")


def _split(source: str) -> tuple[str, str]:
    """Host and file of `HOST=FILE`; no host for a file whose name has a `=`."""
    host, equals, file = source.partition("=")
    return (host, file) if equals and not Path(source).exists() else ("", source)


def _text(source: str) -> str:
    return read_text(Path(source), kind=_EXPECTED, most=LARGEST).removeprefix("\ufeff")
