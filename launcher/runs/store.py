"""What is kept of a run in its directory, and the runs of this user."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import InfrastructureError, UsageError
from launcher.runs.fold import fold
from launcher.runs.home import home, make_directory, runtime_path, unwritable, write_file
from launcher.runs.layout import RunLayout
from launcher.runs.lock import Lock, is_held
from launcher.runs.record import RecordReader, RecordWriter
from launcher.runs.state import RunPhase, RunState

if TYPE_CHECKING:
    from launcher.runs.events import Event

_SLUG_LENGTH = 40
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class RunDirectory:
    """One run's folder: `layout` names what plans name too, the rest is what keeping a run needs."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def layout(self) -> RunLayout:
        """The paths that plans name too."""
        return RunLayout(self.path)

    @property
    def supervisor_log(self) -> Path:
        """What the processes that keep the run noticed."""
        return self.path / "supervisor.log"

    def rank_log(self, attempt: int, rank: int) -> Path:
        """Standard output and error of a rank."""
        return self.layout.attempt(attempt).rank(rank).log

    @property
    def _supervisor_lock(self) -> Path:
        return self.path / "supervisor.lock"

    def shim_journal(self, host: str) -> Path:
        return self.path / "hosts" / host / "shim.jsonl"

    def shim_log(self, host: str) -> Path:
        return self.path / "hosts" / host / "shim.log"

    def shim_lock(self, host: str) -> Path:
        return self.path / "hosts" / host / "shim.lock"

    def scan_log(self, host: str) -> Path:
        return self.path / "hosts" / host / "scan.log"

    def scan_lock(self, host: str) -> Path:
        return self.path / "hosts" / host / "scan.lock"

    def shim_socket(self, host: str) -> Path:
        return self._socket(f"shim-{host}")

    def control_socket(self) -> Path:
        return self._socket("control")

    def lock(self) -> Lock:
        """The right to append to the record and to decide."""
        return Lock(self._supervisor_lock)

    def writer(self) -> RecordWriter:
        return RecordWriter(self.layout.events)

    def state(self) -> RunState:
        """The state that the record tells; a run that nothing keeps any more is shown as lost."""
        reader = RecordReader(self.layout.events)
        state = fold(reader.read())
        if not state.phase.ended and not self.is_kept(state):
            state = fold(reader.read(), state)  # its end is written before its locks are released
            if not state.phase.ended:
                return as_lost(state)
        return state

    def is_kept(self, state: RunState) -> bool:
        """Whether a supervisor, or at least the shim of a host, is alive on this machine."""
        return self.is_supervised() or self.has_shim(state)

    def is_supervised(self) -> bool:
        """Whether a supervisor is alive on this machine."""
        return is_held(self._supervisor_lock)

    def has_shim(self, state: RunState) -> bool:
        """Whether the shim of a host is alive on this machine."""
        return any(is_held(self.shim_lock(host)) for host in state.hosts)

    def unread(self, host: str, seen: int) -> list[Event]:
        """What the shim of a host of this machine wrote down after the event numbered `seen`."""
        events = RecordReader(self.shim_journal(host)).read()
        return [event for event in events if event.host_seq is not None and event.host_seq > seen]

    def _socket(self, name: str) -> Path:
        digest = hashlib.sha256(f"{self.path}/{name}".encode()).hexdigest()[:16]
        return runtime_path() / f"{digest}.sock"


def as_lost(state: RunState) -> RunState:
    """The state as a person should see it when neither supervisor nor shim is left to change it."""
    from dataclasses import replace

    reason = "nothing on this machine keeps the run any more (was it restarted?)"
    return replace(state, phase=RunPhase.LOST, reason=reason)


def example_run(name: str) -> RunDirectory:
    """The directory that a run of this name might have, for looking at a plan; creates nothing."""
    return RunDirectory(home() / "runs" / f"{_slug(name)}-0000")


def create_run(name: str, recipe_yaml: str, cluster_yaml: str, created: float) -> RunDirectory:
    """Make a new run directory (mode 0700) with its specs and manifest in it.

    Raises InfrastructureError when the folder cannot be written; nothing is left behind then.
    """
    runs = home() / "runs"
    make_directory(runs)
    while True:
        run = RunDirectory(runs / f"{_slug(name)}-{secrets.token_hex(2)}")
        try:
            run.path.mkdir(mode=0o700)
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(run.path, error) from error
    manifest = {"version": 1, "run": run.id, "name": name, "created": created}
    try:
        for path, text in (
            (run.layout.recipe, recipe_yaml),
            (run.layout.cluster, cluster_yaml),
            (run.layout.run, json.dumps(manifest, ensure_ascii=False) + "\n"),
        ):
            write_file(path, text)
    except InfrastructureError:
        for path in run.path.iterdir():
            path.unlink()
        run.path.rmdir()
        raise
    return run


def all_runs() -> list[RunDirectory]:
    """This user's runs, oldest first. Raises InfrastructureError when they cannot be looked at."""
    found: list[tuple[float, RunDirectory]] = []
    try:
        entries: Iterable[Path] = list((home() / "runs").iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InfrastructureError(
            f"cannot read your runs: {error.strerror or error}",
            where=str(home() / "runs"),
            expected="a folder that you may read",
            remedy="mend its permissions, or set NPU_LAUNCH_HOME to another folder",
        ) from error
    for path in entries:
        try:
            manifest = json.loads((path / "run.json").read_text(encoding="utf-8"))
            found.append((float(manifest["created"]), RunDirectory(path)))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return [run for _, run in sorted(found, key=lambda item: (item[0], item[1].id))]


def find_run(
    name: str | None, *, preferred: Callable[[Sequence[RunDirectory]], Sequence[RunDirectory]] | None = None
) -> RunDirectory:
    """The run with this id, or with an id that begins so; without a name, the latest.

    Where several are meant and one alone of them is `preferred`, that one. Raises UsageError when there is none, or
    more than one, and InfrastructureError when the runs cannot be looked at.
    """
    if name == "":
        raise UsageError("a run's name is empty", expected="a run's id or how it begins", remedy="npu-launch ps")
    runs = all_runs()
    if name is None:
        if not runs:
            raise UsageError("no runs yet", where=str(home() / "runs"), remedy="npu-launch RECIPE starts one")
        return _sole(runs, preferred) or runs[-1]
    found = [run for run in runs if run.id == name] or [run for run in runs if run.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if (sole := _sole(found, preferred)) is not None:
        return sole
    if found:
        names = ", ".join(run.id for run in found[: -_NAMES_SHOWN - 1 : -1])
        more = f" and {len(found) - _NAMES_SHOWN} more" if len(found) > _NAMES_SHOWN else ""
        raise UsageError(f"'{name}' fits {len(found)} runs: {names}{more}", remedy="give more of the name")
    latest = ", ".join(run.id for run in runs[-3:]) or "none"
    raise UsageError(f"no run is called '{name}'", expected=f"one of `npu-launch ps` (latest: {latest})")


def _sole(
    runs: Sequence[RunDirectory], preferred: Callable[[Sequence[RunDirectory]], Sequence[RunDirectory]] | None
) -> RunDirectory | None:
    """The one run that is preferred, if there is one alone."""
    found = preferred(runs) if preferred is not None else ()
    return found[0] if len(found) == 1 else None


def _slug(name: str) -> str:
    """A name that is safe in a path and in a shell."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:_SLUG_LENGTH] or "run"
