"""Does what was decided about runs that have ended, and compresses what is kept of the others.

Whatever interrupts it, the next sweep goes on: a run that goes is first moved out of sight, in one step.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from launcher.errors import InfrastructureError
from launcher.logs.keeping.belongings import Belonging, Kind
from launcher.logs.keeping.deciding import Action, Decision, decide
from launcher.logs.keeping.due import stamp
from launcher.logs.keeping.inventory import CUT_TO, Found, has_live_shim, inventory, record_size, to_cut
from launcher.logs.keeping.limits import Keep
from launcher.logs.keeping.packing import PARTIAL, pack, pack_cut
from launcher.logs.packed import COMPRESSED
from launcher.runs.home import home
from launcher.runs.lock import Lock

_log = logging.getLogger(__name__)
_WORTH_IT = 1 << 16  # bytes of a log below which it is not compressed


def plan_sweep(keep: Keep, now: float) -> tuple[Decision, ...]:
    """What a sweep would do now, but for compressing. Raises InfrastructureError."""
    return decide([each.kept for each in inventory(now)], keep, now)


def sweep(keep: Keep, now: float, tell: Callable[[Decision], None]) -> bool:
    """Let go what need not be kept, then compress; `tell` hears of each run. False: somebody else is at it.

    Raises InfrastructureError when the runs cannot be looked at, or their folder cannot be written.
    """
    if not home().exists():
        return True
    lock = Lock(home() / "sweep.lock")
    try:
        if not lock.try_acquire():
            return False
        stamp(now)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write: {error.strerror or error}",
            where=str(home()),
            expected="a folder you may write to",
            remedy="mend its permissions, or set NPU_LAUNCH_HOME to another folder",
        ) from error
    try:
        _empty(_removed())
        found = {each.directory.id: each for each in inventory(now)}
        for decision in decide([each.kept for each in found.values()], keep, now):
            if _do(found.pop(decision.run), decision.action):
                tell(decision)
        for each in found.values():
            if each.is_at_rest:
                _compress(each)
    finally:
        lock.release()
    return True


def _do(found: Found, action: Action) -> bool:
    """Do it, unless somebody supervises the run, or has had it going since it was looked at."""
    run, lock = found.directory, found.directory.lock()
    try:
        if not lock.try_acquire():
            return False
        if record_size(run) != found.record_size or (not found.lives_here and has_live_shim(run)):
            return False
        if action is Action.CUT:
            _each(to_cut(found.belongings), lambda path: pack_cut(path, CUT_TO))
        elif found.has_files_of_the_user:
            _each([e for e in found.belongings if e.kind in (Kind.LOG, Kind.REST)], Path.unlink)
        else:
            _remove(run.path)
    except OSError as error:
        _log.warning("%s: %s", run.path, error)
        return False
    finally:
        lock.release()
    return True


def _removed() -> Path:
    """Where runs go first: on the same file system, and where nobody looks for runs."""
    return home() / "runs" / ".removed"


def _remove(path: Path) -> None:
    _removed().mkdir(mode=0o700, exist_ok=True)
    path.rename(_removed() / path.name)
    _empty(_removed())


def _empty(folder: Path) -> None:
    """Remove what was moved here, by this sweep or by one that was interrupted."""
    shutil.rmtree(folder, ignore_errors=True)


def _compress(found: Found) -> None:
    """Compress the logs of a run; what an interrupted sweep left half done is removed."""
    for each in found.belongings:
        if each.path.name.endswith(COMPRESSED + PARTIAL) and each.kind is not Kind.USERS:
            each.path.unlink(missing_ok=True)
    worth = [e for e in found.belongings if e.kind is Kind.LOG and e.stored >= _WORTH_IT]
    _each([e for e in worth if e.path.suffix != COMPRESSED], pack)


def _each(files: list[Belonging], work: Callable[[Path], None]) -> None:
    """Do this with each file; one that fails is told in the log, and keeps no other back."""
    for each in files:
        try:
            work(each.path)
        except OSError as error:
            _log.warning("%s: %s", each.path, error)
