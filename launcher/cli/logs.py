"""`npu-launch logs`: what everybody of a run wrote, in the order of time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import AttemptOption, RunArgument, whole_number
from launcher.errors import UsageError

if TYPE_CHECKING:
    from launcher.runs.state import AttemptState, RunState
    from launcher.runs.store import RunDirectory


def logs(
    context: typer.Context,
    run: RunArgument = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with new lines until the run has ended.")
    ] = False,
    last: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--tail",
            metavar="N",
            parser=whole_number("-n", 0),
            help="Only the last N lines of all logs together.",
            show_default=False,
        ),
    ] = None,
    rank: Annotated[
        str | None,
        typer.Option("--rank", metavar="RANKS", help="Only these ranks, such as 0,8-15.", show_default=False),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOSTS", help="Only these hosts.", show_default=False)
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="SOURCES",
            help="Whose logs: stdout, plog, device, framework, scheduler, launcher, host, or all.",
        ),
    ] = "stdout",
    level: Annotated[
        str | None,
        typer.Option(
            "--level",
            metavar="LEVEL",
            help="Only messages so grave: debug, info, warning, error or critical.",
            show_default=False,
        ),
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option("--grep", metavar="REGEX", help="Only lines with a match; (?i) ignores case.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Not before: 10m ago, 17:45, a date.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Not after that.", show_default=False)
    ] = None,
    attempt: AttemptOption = None,
    first_error: Annotated[bool, typer.Option("--first-error", help="Of each log only the first error.")] = False,
    collapse: Annotated[
        bool, typer.Option("--collapse", help="Lines that differ only in numbers and rank once, with their ranks.")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The lines as they were written, and nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow, and exit with the run's exit code when it has ended.")
    ] = False,
    frames: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> int:
    """Print what the ranks of a run wrote, merged in the order of time.

    Control characters are made visible, so that a log can do nothing to your
    terminal; the files themselves are as the ranks wrote them.

    \b
    npu-launch logs                       all of the latest run
    npu-launch logs -f -n 20              follow it
    npu-launch logs resnext --rank 3      one rank of the run resnext-...
    npu-launch logs --source all --level error --collapse
    """
    from launcher.cli.delegation import elsewhere
    from launcher.cli.log_catalogue import Catalogue, parts_of
    from launcher.cli.log_following import follow_logs
    from launcher.cli.log_options import choice_of, form_of, selection_of
    from launcher.cli.log_output import Frames, Relayed, Stdout
    from launcher.cli.log_printing import Request, print_logs
    from launcher.cli.log_text import labels_for
    from launcher.cli.output import shows_colours, talk
    from launcher.runs.store import find_run

    found = find_run(run)
    if (away := elsewhere(found, to_read=True)) is not None:
        if follow or wait:
            from launcher.cli.log_relay import follow_from_afar

            return follow_from_afar(away, context)
        return away.do_the_same(context)
    if first_error and (last is not None or follow or wait):
        raise UsageError("--first-error goes with neither -n nor -f", expected="one of them")
    relayed = None if frames is None else Relayed.decoded(frames)
    state = found.state()
    begun = _attempt(found, state, attempt)
    catalogue = Catalogue(found, choice_of(state, source, rank, host))
    selection = selection_of(grep, level, since, until)
    files = catalogue.files(state, begun)
    labels = labels_for(files, colours=shows_colours(sys.stdout) if relayed is None else relayed.colours)
    form = form_of(labels, raw=raw, as_json=as_json, collapse=collapse)
    request = Request(selection, form, last, first_error)
    output = Stdout(as_they_are=raw) if relayed is None else Frames()
    if (follow or wait) and not (state.phase.ended and relayed is None) and begun is state.attempts[-1]:
        left = follow_logs(catalogue, request, output, attempt, None if relayed is None else relayed.cursor)
        if left is not None:
            return int(left)
    else:
        parts = parts_of(files)
        print_logs(catalogue.logs(state, parts), request, output)
        if not parts:
            talk(f"npu-launch: nothing written yet in attempt {begun.number}")
    return int(found.state().phase.exit_code) if wait else 0


def _attempt(run: RunDirectory, state: RunState, number: int | None) -> AttemptState:
    """The attempt with this number, or else the latest. Raises UsageError when there is none."""
    wanted = number if number is not None else state.attempts[-1].number if state.attempts else 0
    for attempt in state.attempts:
        if attempt.number == wanted:
            return attempt
    numbers = ", ".join(str(attempt.number) for attempt in state.attempts)
    raise UsageError(
        f"run {run.id} has no attempt {wanted}" if wanted else f"run {run.id} has not started yet",
        expected=f"one of {numbers}" if numbers else "an attempt, which begins when its ranks are started",
    )
