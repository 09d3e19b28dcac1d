"""This user's runs as far as keeping them goes, read from their folders."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from launcher.logs.keeping.belongings import Belonging, Kind, belongings
from launcher.logs.keeping.deciding import KeptRun
from launcher.runs.home import home
from launcher.runs.lock import is_held
from launcher.runs.pointer import pointed_at
from launcher.runs.state import RunPhase, RunState
from launcher.runs.store import RunDirectory, all_runs

CUT_TO = 1 << 20
"""Bytes of a long log that are left when it is cut."""

GRACE = 3600.0
"""Seconds after its end in which a run is left as it is: it may be looked at, or be started again."""

_FAILED = frozenset((RunPhase.FAILED, RunPhase.GAVE_UP, RunPhase.LOST))
_MIRROR = "mirror.json"  # beside the copy of the record of a run that is at home on another host
_SHIM_LOCKS = "hosts/*/shim.lock"


@dataclass(frozen=True)
class Found:
    """A run, what lies in its folder, and what counts when it is decided what becomes of it.

    `record_size` are the bytes that its record had. One that `is_at_rest` ended long enough ago that its logs may be
    compressed. Of one that does not live here there is only what another host's run has left: the logs of this host's
    ranks, a copy of its record, a note of where it lives.
    """

    directory: RunDirectory
    belongings: tuple[Belonging, ...]
    kept: KeptRun
    record_size: int
    is_at_rest: bool = False
    lives_here: bool = True

    @property
    def has_files_of_the_user(self) -> bool:
        return any(each.kind is Kind.USERS for each in self.belongings)


def inventory(now: float) -> list[Found]:
    """All runs, oldest first; the latest that has ended is held. Raises InfrastructureError."""
    known = all_runs()
    found = [_found(run, now) for run in (*known, *_parts({run.id for run in known}))]
    ended = [each for each in found if each.kept.held is None and each.lives_here]
    latest = max(ended, key=lambda each: each.kept.ended, default=None)
    return [_held(each, "it is the latest") if each is latest else each for each in found]


def record_size(run: RunDirectory) -> int:
    """Bytes of a run's record; 0 when there is none."""
    try:
        return run.layout.events.stat().st_size
    except OSError:
        return 0


def has_live_shim(run: RunDirectory) -> bool:
    """Whether a shim looks after ranks of a run on this host."""
    return any(is_held(lock) for lock in run.path.glob(_SHIM_LOCKS))


def _parts(known: Collection[str]) -> list[RunDirectory]:
    """What other hosts' runs have on this one: folders that a shim has written to, and that are none of `known`."""
    found = {path.parents[2].name: path.parents[2] for path in (home() / "runs").glob(f"*/{_SHIM_LOCKS}")}
    return [RunDirectory(path) for name, path in sorted(found.items()) if name not in known]


def _found(run: RunDirectory, now: float) -> Found:
    record = record_size(run)
    files = tuple(belongings(run.path))
    ours = [each for each in files if each.kind is not Kind.USERS]
    removable = [each for each in ours if each.kind is not Kind.RECORD] if len(ours) < len(files) else ours
    cuttable = sum(each.stored - CUT_TO for each in to_cut(files))
    size = sum(each.stored for each in removable)
    kept = KeptRun(run.id, size, size - cuttable)
    found = Found(run, files, kept, record)
    if run.path.is_symlink():
        return _held(found, "its folder is a link")
    at = pointed_at(run)
    if at is not None and not at.is_here and at.machine is not None:
        return _held(found, f"it lives on host {at.host}, which shares this folder")
    if at is not None and not at.is_here and _is_mere_note(found):
        return _held(found, f"it is a note of a run that lives on host {at.host}")
    if (at is not None and not at.is_here) or (run.path / _MIRROR).exists() or not run.layout.events.exists():
        return _left(found, now)
    try:
        state = run.state()
    except (OSError, ValueError, KeyError) as error:
        return _held(found, f"its record cannot be read: {error}")
    return _judged(found, state, now)


def _is_mere_note(found: Found) -> bool:
    """Whether there is little more than where a run lives, without which nobody here finds it, and it may be alive."""
    has_copy = (found.directory.path / _MIRROR).exists()
    return not has_copy and not any(each.kind is Kind.LOG for each in found.belongings)


def _left(found: Found, now: float) -> Found:
    """What a run that lives elsewhere has left here. Nobody here knows how it ended: it is kept like a failed one."""
    run = found.directory
    if run.is_supervised() or has_live_shim(run):
        return _held(found, "it is alive")
    written = _last_written(found.belongings)
    if now - written < GRACE:
        return _held(found, "it was written to a moment ago")
    return replace(found, kept=replace(found.kept, ended=written, failed=True, lost=True), lives_here=False)


def _judged(found: Found, state: RunState, now: float) -> Found:
    """With what its record says."""
    if not state.run:
        return _held(found, "its record cannot be read")
    if not state.phase.ended or found.directory.is_kept(state):
        return _held(found, "it is alive")
    lost = state.phase is RunPhase.LOST
    ended = state.ended if state.ended is not None else _last_written(found.belongings)
    kept = replace(found.kept, ended=ended, failed=state.phase in _FAILED, lost=lost)
    if now - ended < GRACE:
        return _held(replace(found, kept=kept), "it has just ended")
    return replace(found, kept=kept, is_at_rest=True)


def to_cut(files: Iterable[Belonging]) -> list[Belonging]:
    """The logs that are long enough to be cut."""
    return [each for each in files if each.kind is Kind.LOG and each.stored > 2 * CUT_TO]


def _last_written(files: Iterable[Belonging]) -> float:
    """When a run last wrote something (seconds since the epoch); to look at it takes its lock."""
    times = []
    for each in files:
        if each.path.suffix == ".lock":
            continue
        try:
            times.append(each.path.lstat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def _held(found: Found, reason: str) -> Found:
    return replace(found, kept=replace(found.kept, held=reason))
