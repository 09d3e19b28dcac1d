"""`npu-launch status`: one run, at any time."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.options import JsonOption, RunArgument


def status(
    context: typer.Context,
    run: RunArgument = None,
    as_json: JsonOption = False,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep showing it until the run has ended.")] = False,
) -> int:
    """Show a run: how far it is, its ranks, what failed first.

    \b
    npu-launch status
    npu-launch status resnext-8p-7f3a --json
    npu-launch status -f                  follow a run from a second terminal
    """
    import json
    import time

    from launcher.cli.delegation import elsewhere
    from launcher.cli.documents import status_document
    from launcher.cli.output import put
    from launcher.cli.status_text import status_lines
    from launcher.cli.view import last_words, look
    from launcher.errors import UsageError
    from launcher.runs.store import find_run
    from launcher.supervise.followed_record import settle

    if follow and as_json:
        raise UsageError("--follow and --json do not go together")
    found = find_run(run)
    if (away := elsewhere(found, to_read=not follow)) is not None:
        if not follow:
            return away.do_the_same(context)
        from launcher.cli.afterwards import fetch_evidence
        from launcher.cli.interrupts import Interrupts

        with Interrupts() as interrupts:
            return fetch_evidence(away, away.do_the_same(context, interrupts), interrupts)
    if follow:
        from launcher.cli.attach import attach
        from launcher.cli.interrupts import Interrupts

        with Interrupts() as interrupts:
            return int(attach(found, interrupts, since=None))
    settle(found)
    view = look(found, time.time())
    words = last_words(found, view.state)
    if as_json:
        put(json.dumps(status_document(view, words), indent=2))
    else:
        put("\n".join(status_lines(view, words)))
    return 0
