"""`npu-launch rerun`: start a run's next attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import DetachOption, FixOption, PreflightOption, RunArgument, SetOption, WaitOption

if TYPE_CHECKING:
    from launcher.cli.delegation import Away
    from launcher.runs.state import RunState
    from launcher.runs.store import RunDirectory
    from launcher.supervise.fleet.relaunch import Look


def rerun(
    context: typer.Context,
    run: RunArgument = None,
    ranks: Annotated[
        str,
        typer.Option(
            "--ranks", metavar="RANKS", help="all, failed, or such as 1,3-5; single ranks of plain jobs only."
        ),
    ] = "all",
    set_: SetOption = None,
    fix: FixOption = None,
    detach: DetachOption = False,
    wait: WaitOption = False,
    preflight: PreflightOption = None,
) -> int:
    """Start a run that has ended again, from its newest checkpoint.

    \b
    npu-launch rerun
    npu-launch rerun resnext-8p-7f3a --set args.batch_size=2
    npu-launch rerun --fix 1                    fix 1 of its diagnosis
    npu-launch rerun my-sweep --ranks failed
    """
    from launcher.cli.delegation import elsewhere
    from launcher.cli.fixes import numbered_fix, words_of
    from launcher.cli.interrupts import Interrupts
    from launcher.cli.output import warn
    from launcher.cli.run import line_of, preflight_of, tell_detached
    from launcher.runs.store import find_run
    from launcher.supervise.fleet.relaunch import Look
    from launcher.supervise.followed_record import settle
    from launcher.supervise.launch import rerun as start_again

    found = find_run(run)
    look = Look(preflight_of(preflight), tuple(set_ or ()), warn)
    if (away := elsewhere(found)) is not None:
        _bring_up(found, away, look)
        if detach:
            return away.do_the_same(context)
        from launcher.cli.afterwards import fetch_evidence

        with Interrupts() as interrupts:
            return fetch_evidence(away, away.do_the_same(context, interrupts), interrupts)
    before = settle(found)
    chosen_fix = None if fix is None else numbered_fix(found, before, fix)
    if chosen_fix is not None:
        look = look._replace(overrides=(*chosen_fix.overrides, *look.overrides))
    _bring_up(found, None, look)
    chosen = _chosen(ranks, before)
    with Interrupts() as interrupts:
        line = line_of(interrupts) if wait else None
        start_again(
            found,
            ranks=chosen,
            overrides=look.overrides,
            why=words_of(chosen_fix) if chosen_fix is not None else "",
            line=line,
            preflight=look.preflight,
            warn=warn,
        )
        if detach:
            tell_detached(found.id)
            return 0
        from launcher.cli.attach import attach  # what shows a run is loaded while its ranks start

        return int(attach(found, interrupts, since=len(before.attempts) + 1))


def _bring_up(run: RunDirectory, away: Away | None, look: Look) -> None:
    """Have the hosts of a run on several up again; nothing for any other run, and for one that is alive."""
    from launcher.cli.clusters import interruptible
    from launcher.cli.output import tell
    from launcher.hosts.ways import open_reach
    from launcher.specs import load_cluster
    from launcher.supervise.fleet.relaunch import be_up_here, bring_home_up
    from launcher.supervise.spread import is_spread

    if away is not None:
        with interruptible(away.ways):
            bring_home_up(away, look, tell)
    elif is_spread(cluster := load_cluster(run.layout.cluster)) and run.state().phase.ended:
        with interruptible(open_reach(cluster)) as reach:
            be_up_here(run, cluster, reach, look, tell)


def _chosen(ranks: str, state: RunState) -> tuple[int, ...] | None:
    """The ranks that the option names; None for all of them."""
    from launcher.cli.wording import parse_ranks
    from launcher.supervise.launch import failed_ranks

    if ranks == "all":
        return None
    return failed_ranks(state) if ranks == "failed" else parse_ranks(ranks, state.world_size)
