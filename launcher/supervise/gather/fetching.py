"""Brings a run's record and evidence here from one of its hosts, over ssh."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from launcher.errors import InfrastructureError, UsageError
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.reach import Reach
from launcher.logs.cutting import SUFFIX
from launcher.supervise.gather.outcome import FromHost, Limits, Missing
from launcher.supervise.gather.snapshot import MOST_SECONDS
from launcher.supervise.gather.sources import Bytes, Found, listing
from launcher.supervise.gather.transfer import PARTIAL, Transfer, has_all

# What a run's folder has to tell; its specs are where it was launched from, and so is a run.json of its own.
_TELLING: Final = ("events.jsonl", "supervisor.log", "hosts", "attempts")
_LEFT_OUT: Final = ("work", "shim.lock")  # a rank's working folder is its own, and may hold anything
_AT_ONCE: Final = 16 << 20  # bytes in one call, for each of which a Python is started there
_SLOWEST: Final = 1 << 18  # bytes a second, below which a file is not waited for


def fetch(
    run: str,
    reach: Reach,
    provided: Provided,
    to: Path,
    *,
    snapshot_of: int | None = None,
    limits: Limits | None = None,
    paths: Sequence[str] | None = None,
) -> FromHost:
    """Bring what is new of a run's record, logs and gathered evidence on a host into the folder `to`.

    From the run's home that is all that was gathered; of another host name the `paths` of what is evidence there. With
    `snapshot_of`, an attempt, the host's tools are asked first. Goes on where an earlier call ended; what is more than
    the limit for a host is cut as in `gather`. Raises UsageError when the run is not there, InfrastructureError when
    the host cannot be asked, and OSError when it cannot be written here.
    """
    limits = limits or Limits()
    host = _Host(reach, provided, limits)
    root = Path(provided.home) / "runs" / run
    if paths is None:
        paths = [str(root / name) for name in _TELLING]
        if not host.listing(paths):
            raise UsageError(
                f"no run is called '{run}'", where=f"host {provided.host}", expected=f"a folder {root} there"
            )
    missing = [] if snapshot_of is None else host.snapshot(root, snapshot_of)
    listed = host.listing(paths)
    transfer = Transfer(provided.host, root, to, listed, limits.host_bytes, missing)
    transfer.cut_at(host.ask("first_errors", transfer.too_long)[0] if transfer.too_long else ())
    while wanted := transfer.wanted(min(_AT_ONCE, limits.rate)):
        began = time.monotonic()
        size = sum(piece.length for piece in wanted)
        transfer.take(Bytes(*host.ask("read_pieces", wanted, size / _SLOWEST)))
        due = began + size / limits.rate
        time.sleep(max(0.0, due - time.monotonic()))
    return transfer.outcome()


def hand_over(run: str, reach: Reach, provided: Provided, folder: Path, paths: Sequence[str]) -> None:
    """Put what is at these paths of a run's `folder` here onto a host that does not have it, or less of it.

    Raises InfrastructureError.
    """
    root = Path(provided.home) / "runs" / run
    host = _Host(reach, provided, Limits())
    sizes = {Path(found.path): found.size for found in host.listing([str(root / path) for path in paths])}
    for found in listing([str(folder / path) for path in paths], _LEFT_OUT):
        there = root / Path(found.path).relative_to(folder)
        is_cut = there.suffix == SUFFIX and there.with_suffix("") in sizes
        if not (is_cut or there.suffix == PARTIAL or has_all(there, sizes.get(there), found.size)):
            reach.put(Path(found.path), str(there), timeout=Limits().patience + found.size / _SLOWEST)


class _Host:
    """A host that has to do with the run, which answers the calls of `send`."""

    def __init__(self, reach: Reach, provided: Provided, limits: Limits) -> None:
        self._reach, self._provided, self._limits = reach, provided, limits

    def listing(self, paths: Sequence[str]) -> list[Found]:
        """The files at these paths that tell something."""
        listed, _ = self.ask("listing", [paths, _LEFT_OUT])
        return [Found(*found) for found in listed]

    def snapshot(self, root: Path, attempt: int) -> list[Missing]:
        """Have its tools asked; what could not be had."""
        argument = [str(root), attempt, self._provided.host, self._limits.host_bytes // 4]
        missing, _ = self.ask("snapshot", argument, MOST_SECONDS)
        return [Missing(**each) for each in missing]

    def ask(self, call: str, argument: Any, more_seconds: float = 0.0) -> tuple[Any, bytes]:
        """What it answers, and the bytes that come with it. Raises InfrastructureError."""
        answer = self._reach.run(
            [self._provided.python, "-m", "launcher.supervise.gather.send"],
            input=json.dumps({"call": call, "argument": argument}).encode(),
            timeout=self._limits.patience + more_seconds,
        )
        if answer.code != 0:
            said = answer.problem or answer.stderr.decode("utf-8", "replace").strip()[-300:]
            raise InfrastructureError(
                f"what a run left cannot be fetched: {said or f'exit code {answer.code}'}",
                where=f"host {self._provided.host}",
                expected=f"npu-launch in {self._provided.python} there",
                remedy="npu-launch up CLUSTER mends it",
            )
        line, _, content = answer.stdout.partition(b"\n")
        return json.loads(line), content
