"""`npu-launch ps`: this user's runs.

`--json` prints a list of `run_document`s (`documents`). That of a run which lives on another host is what that host
says, and has `home` (the host's name) besides; when the host does not answer, `phase` is `unreachable`, and there are
only version, run, name, created and home.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launcher.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.runs.store import RunDirectory

_SHOWN = 20
_UNREACHABLE = "unreachable"


def ps(
    show_all: Annotated[bool, typer.Option("--all", help="Also those that ended longer ago.")] = False,
    as_json: JsonOption = False,
) -> int:
    """List your last 20 runs and those that have not ended, the latest first.

    With --json it is all of them. Runs that you started on other hosts are
    asked for there.

    \b
    npu-launch ps
    npu-launch ps --all
    npu-launch ps --json | jq -r '.[] | select(.phase == "running").run'
    """
    import json
    import time

    from launcher.cli.output import put, talk

    now = time.time()
    documents = _documents(now)
    if as_json:
        put(json.dumps(documents, indent=2))
        return 0
    if not documents:
        talk("npu-launch: no runs yet; npu-launch RECIPE starts one")
        return 0
    shown = [each for place, each in enumerate(documents) if show_all or place < _SHOWN or not _has_ended(each)]
    _print([_Row.of(document, now) for document in shown])
    if older := len(documents) - len(shown):
        talk(f"… {older} older: npu-launch ps --all")
    return 0


def _documents(now: float) -> list[dict[str, Any]]:
    """What is known of every run, the latest first."""
    from launcher.cli.delegation import elsewhere
    from launcher.cli.documents import run_document
    from launcher.cli.view import RunView
    from launcher.runs.store import all_runs

    runs = list(reversed(all_runs()))
    away = {run.id: found for run in runs if (found := elsewhere(run, to_read=True)) is not None}
    told: dict[str, dict[str, Any]] = {}
    if away:
        from launcher.cli.homes import ask_homes

        told = ask_homes(away.values())
    return [
        {**(told.get(run.id) or _unreachable(run)), "home": away[run.id].host.name}
        if run.id in away
        else run_document(RunView(run.path, run.state(), now))
        for run in runs
    ]


def _unreachable(run: RunDirectory) -> dict[str, Any]:
    import json

    manifest = json.loads(run.layout.run.read_text(encoding="utf-8"))
    known = {"run": run.id, "name": str(manifest.get("name", "")), "created": float(manifest["created"])}
    return {"version": 1, **known, "phase": _UNREACHABLE}


def _has_ended(document: dict[str, Any]) -> bool:
    return document["phase"] != _UNREACHABLE and document["exit_code"] is not None


@dataclass(frozen=True)
class _Row:
    """A run as a line; what is not known is a dash."""

    cells: tuple[str, ...]
    home: str
    name: str

    @classmethod
    def of(cls, document: dict[str, Any], now: float) -> _Row:
        from launcher.cli.wording import duration
        from launcher.logs.safe import safe_line

        elapsed, attempt = document.get("duration"), document.get("attempt")
        return cls(
            (
                safe_line(document["run"]),
                safe_line(document["phase"].replace("_", " ")),
                str(document.get("world_size", "-")),
                "-" if elapsed is None else str(attempt or 0),
                duration(now - document["created"]),
                "-" if elapsed is None else duration(elapsed),
            ),
            safe_line(document.get("home", "")),
            safe_line(document["name"]),
        )


def _print(rows: Sequence[_Row]) -> None:
    """The runs as a table, with their homes when one of them is another host."""
    from launcher.cli.output import columns, put
    from launcher.cli.wording import cut

    with_home = any(row.home for row in rows)
    heading = _Row(("RUN", "STATE", "RANKS", "ATTEMPTS", "AGE", "DURATION"), "HOME", "NAME")
    lines = [(*row.cells, *([row.home or "-"] if with_home else []), row.name) for row in (heading, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    room = max(columns() - sum(widths) - 2 * len(widths), len("NAME"))
    for *cells, name in lines:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        put("  ".join([*padded, cut(name, room)]).rstrip())
