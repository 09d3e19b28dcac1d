"""`npu-launch ps`: this user's runs."""

from __future__ import annotations

from launcher.cli.options import JsonOption


def ps(as_json: JsonOption = False) -> int:
    """List your runs, the latest first.

    \b
    npu-launch ps
    npu-launch ps --json | jq -r '.[] | select(.phase == "running").run'
    """
    import json
    import time

    from launcher.cli.documents import run_document
    from launcher.cli.output import put, talk
    from launcher.cli.view import RunView
    from launcher.cli.wording import duration
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
    rows = [("RUN", "STATE", "RANKS", "ATTEMPTS", "AGE", "DURATION", "NAME")]
    for view in views:
        state = view.state
        rows.append(
            (
                safe_line(view.id),
                state.phase.value.replace("_", " "),
                str(state.world_size),
                str(len(state.attempts)),
                duration(now - state.created),
                duration(view.elapsed),
                safe_line(state.name, 60),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        put("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0
