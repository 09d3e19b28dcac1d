"""`npu-launch ps`: this user's runs."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.options import JsonOption

_SHOWN = 20


def ps(
    show_all: Annotated[bool, typer.Option("--all", help="Also those that ended longer ago.")] = False,
    as_json: JsonOption = False,
) -> int:
    """List your last 20 runs and those that have not ended, the latest first.

    With --json it is all of them.

    \b
    npu-launch ps
    npu-launch ps --all
    npu-launch ps --json | jq -r '.[] | select(.phase == "running").run'
    """
    import json
    import time

    from launcher.cli.documents import run_document
    from launcher.cli.output import columns, put, talk
    from launcher.cli.view import RunView
    from launcher.cli.wording import cut, duration
    from launcher.logs.safe import safe_line
    from launcher.runs.store import all_runs

    now = time.time()
    views = [RunView(run.path, run.state(), now) for run in reversed(all_runs())]
    if as_json:
        put(json.dumps([run_document(view) for view in views], indent=2))
        return 0
    if not views:
        talk("npu-launch: no runs yet; npu-launch RECIPE starts one")
        return 0
    shown = [view for place, view in enumerate(views) if show_all or place < _SHOWN or not view.state.phase.ended]
    rows = [("RUN", "STATE", "RANKS", "ATTEMPTS", "AGE", "DURATION", "NAME")]
    for view in shown:
        state = view.state
        rows.append(
            (
                safe_line(view.id),
                state.phase.value.replace("_", " "),
                str(state.world_size),
                str(len(state.attempts)),
                duration(now - state.created),
                duration(view.elapsed),
                safe_line(state.name),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    room = max(columns() - sum(widths) - 2 * len(widths), len("NAME"))
    for *cells, name in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        put("  ".join([*padded, cut(name, room)]).rstrip())
    if older := len(views) - len(shown):
        talk(f"… {older} older: npu-launch ps --all")
    return 0
