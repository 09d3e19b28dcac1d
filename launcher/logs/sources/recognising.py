"""A folder of logs that came from elsewhere, mapped to ranks, devices and hosts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.logs.packed import ARCHIVE
from launcher.logs.record import LogFile, Source
from launcher.logs.sources.hosts import host_above, host_folders
from launcher.logs.sources.names import Named, named
from launcher.logs.sources.own import files_of_run, is_run
from launcher.logs.sources.places import placed
from launcher.logs.sources.processes import Sight
from launcher.logs.sources.rotation import in_streams
from launcher.logs.sources.samples import sample, share
from launcher.logs.sources.sayings import Said, said_in
from launcher.logs.sources.walking import Below, files_below
from launcher.runs.layout import RunLayout
from launcher.runs.store import RunDirectory

_MOST_NOTES = 50
_READ_PARTS = 3  # of a log in many parts: the first two and the last

# Endings of files that are no logs, whatever they hold.
_OTHER = re.compile(
    r"\.(?:py|pyc|sh|so|o|a|whl|tar|zip|ckpt|pth?|bin|safetensors|np[yz]|mindir|om|onnx|pb|pbtxt|h5|pkl|json|ya?ml|toml"
    r"|cfg|ini|md|html|css|js|csv|tfrecord|mindrecord|db|jpe?g|png|gif|svg|pdf)",
    re.IGNORECASE,
)
_OUTPUT = frozenset((".log", ".out", ".err"))
_ATTEMPTS = RunLayout(Path()).attempts.name


@dataclass(frozen=True)
class Recognised:
    """The logs of a folder; `unknown` are the names of files that are none, `notes` what is doubtful, as sentences."""

    files: tuple[LogFile, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


def recognise(path: Path) -> Recognised:
    """The logs below a folder, of whatever layout, each with what is known of its rank, device, process and host.

    One file is taken like a folder that holds it alone.

    That comes from names first and then from both ends of each file. The folders of our own runs, and copies of them,
    are read as such.
    """
    folder = path.parent if path.is_file() else path
    below = Below((path,), ()) if path.is_file() else files_below(path)
    runs = _runs_among(below.files, folder)
    own = [
        file._replace(name=_prefix(run, folder) + file.name, stream=_prefix(run, folder) + file.stream)
        for run in runs
        for file in files_of_run(RunDirectory(run), None)
    ]
    foreign = [path for path in below.files if not any(path.is_relative_to(run) for run in runs)]
    sights, unknown = _sights([(path.relative_to(folder).as_posix(), path) for path in foreign])
    found, notes = placed(sights)
    files = in_streams(found)
    shown = {file.name for file in files}
    notes += _of_archives(unknown)
    notes += [f"{file.name} is left out: the same log lies beside it" for file, _ in found if file.name not in shown]
    notes += [f"{_prefix(unread, folder) or './'} was not looked into: {why}" for unread, why in below.unread]
    if len(notes) > _MOST_NOTES:
        notes = [*notes[:_MOST_NOTES], f"and {len(notes) - _MOST_NOTES} more like these"]
    return Recognised((*own, *files), tuple(unknown), tuple(notes))


def _sights(files: Sequence[tuple[str, Path]]) -> tuple[list[Sight], list[str]]:
    """What is seen of each log, and the names of files that are none."""
    known = {name: named(name) for name, _ in files}
    hosts = host_folders(known.items())
    to_read = _worth_reading(known)
    most = share(len(to_read))
    sights, unknown = [], []
    for name, path in files:
        part, claims = known[name].part, known[name].claims
        said = said_in(sample(path, most)) if name in to_read else Said()
        source = known[name].source or _by_contents(path, said)
        if source is None:
            unknown.append(name)
            continue
        claims = claims._replace(host=host_above(name, hosts) or claims.host)
        if source is Source.PLOG and claims.pid is None and len(said.writers) == 1:
            claims = claims._replace(pid=next(iter(said.writers)))
        sights.append(Sight(path, name, source, part, claims, said))
    return sights, unknown


def _worth_reading(known: dict[str, Named]) -> set[str]:
    """The files to be read: of those in many parts only the first ones and the last, and none that cannot be logs."""
    streams: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, said in sorted(known.items(), key=lambda item: item[1].part.order):
        if said.source in (None, Source.STDOUT, Source.PLOG, Source.FRAMEWORK, Source.DEVICE):
            streams[name.rpartition("/")[0], said.part.log].append(name)
    chosen = [
        parts if len(parts) <= _READ_PARTS else [*parts[: _READ_PARTS - 1], parts[-1]] for parts in streams.values()
    ]
    return {name for parts in chosen for name in parts if known[name].source or not _OTHER.fullmatch(Path(name).suffix)}


def _of_archives(unknown: Sequence[str]) -> list[str]:
    """A note of the archives among files that are no logs, if there are any."""
    archives = [name for name in unknown if ARCHIVE.fullmatch(name)]
    if not archives:
        return []
    more = f" and {len(archives) - 1} more" if len(archives) > 1 else ""
    return [f"{archives[0]}{more}: an archive was not looked into; unpack it, or name it alone"]


def _by_contents(path: Path, said: Said) -> Source | None:
    if _OTHER.fullmatch(path.suffix):
        return None
    return said.source or (Source.STDOUT if path.suffix in _OUTPUT and said.is_text else None)


def _runs_among(files: Sequence[Path], folder: Path) -> list[Path]:
    """The folders of our own runs that files lie in: `folder` itself, or some below it."""
    candidates = {
        up.parent
        for path in files
        if _ATTEMPTS in path.parts
        for up in path.relative_to(folder).parents
        if up.name == _ATTEMPTS
    }
    return [folder / run for run in sorted(candidates) if is_run(folder / run)]


def _prefix(path: Path, folder: Path) -> str:
    """What the names of files in a folder below `folder` begin with."""
    return "" if path == folder else f"{path.relative_to(folder).as_posix()}/"
