"""`npu-launch logs`: what ranks wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import AttemptOption, RunArgument, whole_number

if TYPE_CHECKING:
    from launcher.runs.state import RunState


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
            help="Only the last N lines of each rank.",
            show_default=False,
        ),
    ] = None,
    rank: Annotated[
        str | None,
        typer.Option("--rank", metavar="RANKS", help="Only these ranks, such as 0,8-15.", show_default=False),
    ] = None,
    attempt: AttemptOption = None,
) -> int:
    """Print what the ranks of a run wrote, each line with its rank.

    Control characters are made visible, so that a log can do nothing to your
    terminal; the files themselves are as the ranks wrote them.

    \b
    npu-launch logs                       all of the latest run
    npu-launch logs -f -n 20              follow it
    npu-launch logs resnext --rank 3      one rank of the run resnext-...
    """
    from launcher.cli.delegation import elsewhere
    from launcher.cli.log_printing import follow_logs, print_logs
    from launcher.cli.output import talk
    from launcher.cli.wording import parse_ranks
    from launcher.errors import UsageError
    from launcher.runs.store import find_run

    found = find_run(run)
    if (away := elsewhere(found, to_read=True)) is not None:
        return away.do_the_same(context)
    state = found.state()
    number = attempt if attempt is not None else state.attempts[-1].number if state.attempts else 0
    known = next((known for known in state.attempts if known.number == number), None)
    if known is None:
        raise UsageError(
            f"run {found.id} has no attempt {number}" if number else f"run {found.id} has not started yet",
            expected=_attempts(state),
        )
    chosen = None if rank is None else parse_ranks(rank, state.world_size)
    if follow and not state.phase.ended and number == state.attempts[-1].number:
        return int(follow_logs(found, chosen, last, only=attempt))
    if not print_logs(found, known, chosen, last):
        talk(f"npu-launch: nothing written yet in attempt {number}")
    return 0


def _attempts(state: RunState) -> str:
    numbers = ", ".join(str(attempt.number) for attempt in state.attempts)
    return f"one of {numbers}" if numbers else "an attempt, which begins when its ranks are started"
