"""`npu-launch run`: start a run and follow it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import (
    AutoFixOption,
    ClusterOption,
    DetachOption,
    EnvOption,
    MaxRestartsOption,
    NameOption,
    PreflightOption,
    RecipeArgument,
    SetOption,
    WaitOption,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.cli.interrupts import Interrupts
    from launcher.specs import Cluster, Recipe
    from launcher.specs.choices import Preflight
    from launcher.supervise.line import Line


def run(
    recipe: RecipeArgument,
    cluster: ClusterOption = None,
    set_: SetOption = None,
    env: EnvOption = None,
    detach: DetachOption = False,
    name: NameOption = None,
    max_restarts: MaxRestartsOption = None,
    auto_fix: AutoFixOption = None,
    wait: WaitOption = False,
    preflight: PreflightOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; start nothing, write nothing.")] = False,
) -> int:
    """Start a run and follow it until it has ended.

    The run lives on by itself when this command ends or is killed. Ctrl-C asks
    whether to stop the run or to detach from it.

    \b
    npu-launch recipes/resnext_8p.yaml
    npu-launch run recipes/resnext_8p.yaml --set args.epochs=1
    npu-launch run recipe.yaml -c clusters/two_nodes.yaml -d

    \b
    Exit codes: 0 the job succeeded, 1 it failed, 2 bad spec or usage,
    3 the machine is not fit for it, 4 infrastructure, 5 gave up after
    restarts, 130 interrupted.
    """
    from launcher.cli.interrupts import Interrupts
    from launcher.cli.output import put, warn
    from launcher.logs.keeping.limits import kept
    from launcher.supervise.detached import start_sweep
    from launcher.supervise.launch import preview, start
    from launcher.supervise.line import no_line
    from launcher.supervise.spread import is_spread

    kept()  # a mistake in it would be found by nobody later on
    loaded, resolved = resolve(recipe, cluster, overrides(set_ or (), max_restarts, auto_fix), env or ())
    if dry_run:
        from launcher.planning.rendering import render_text

        put(render_text(preview(loaded, resolved, name)).rstrip("\n"))
        return 0
    if is_spread(resolved):
        if wait:
            raise no_line(resolved)
        return _run_on_hosts(loaded, resolved, name, preflight_of(preflight), detach=detach)
    with Interrupts() as interrupts:  # from here on nothing can end the command between the start and its record
        line = line_of(interrupts) if wait else None
        started = start(loaded, resolved, name=name, line=line, preflight=preflight_of(preflight), warn=warn)
        start_sweep()
        if detach:
            tell_detached(started.id)
            return 0
        from launcher.cli.attach import attach  # what shows a run is loaded while its ranks start

        return int(attach(started, interrupts, since=1))


def _run_on_hosts(
    recipe: Recipe, cluster: Cluster, name: str | None, preflight: Preflight | None, *, detach: bool
) -> int:
    """Start a run on several hosts, or on another one, and follow it where it lives."""
    from launcher.cli.clusters import interruptible
    from launcher.cli.delegation import elsewhere
    from launcher.cli.interrupts import Interrupts
    from launcher.cli.output import tell, warn
    from launcher.hosts.ways import open_reach
    from launcher.supervise.fleet.launch import launch

    with interruptible(open_reach(cluster)) as reach:
        run = launch(recipe, cluster, name=name, preflight=preflight, reach=reach, tell=tell, warn=warn)
    with Interrupts() as interrupts:
        if detach:
            tell_detached(run.id)
            return 0
        if (away := elsewhere(run)) is not None:
            from launcher.cli.afterwards import fetch_evidence

            return fetch_evidence(away, away.do(("follow", run.id), interrupts), interrupts)
        from launcher.cli.attach import attach

        return int(attach(run, interrupts, since=1))


def line_of(interrupts: Interrupts) -> Line:
    """A place in line for devices that says on stderr whom it waits for, and that a signal leaves."""
    from launcher.cli.output import tell
    from launcher.supervise.line import Line

    return Line(tell, interrupts)


def preflight_of(option: str | None) -> Preflight | None:
    """What `--preflight` says; None: what the recipe does."""
    from launcher.specs.choices import Preflight

    return None if option is None else Preflight(option)


def overrides(sets: Sequence[str], max_restarts: int | None, auto_fix: str | None = None) -> list[str]:
    """What `--set`, `--max-restarts` and `--auto-fix` change in a recipe.

    Who allows restarts wants them, so the policy follows, unless a `--set` says otherwise.
    """
    fixing = [] if auto_fix is None else [f"restart.auto_fix={auto_fix}"]
    if max_restarts is None:
        return [*sets, *fixing]
    policy = ["restart.policy=group"] if max_restarts else []
    return [*policy, *sets, f"restart.max_restarts={max_restarts}", *fixing]


def resolve(path: Path, cluster: Path | None, overrides: Sequence[str], env: Sequence[str]) -> tuple[Recipe, Cluster]:
    """The recipe with its overrides and the cluster it is to run on, with a notice when that is a CPU by default."""
    from launcher.hosts import resolve_cluster
    from launcher.specs import load_recipe

    recipe = load_recipe(path, tuple(overrides), tuple(env))
    resolved = resolve_cluster(recipe, cluster)
    if resolved.is_cpu and cluster is None and recipe.cluster == "auto":
        _tell_cpu()
    return recipe, resolved


def _tell_cpu() -> None:
    import sys

    from launcher.cli.output import styled, talk

    words = styled("NO NPU WAS FOUND ON THIS MACHINE: the job runs on its CPU", "warn", sys.stderr)
    talk(f"npu-launch: {words}, which is slow. (cluster: auto; name a cluster with -c FILE)")


def tell_detached(run: str) -> None:
    """The id for scripts, and what a person would type next."""
    from launcher.cli.output import put, talk

    put(run)
    talk(f"npu-launch: started; next:\n  npu-launch status {run}\n  npu-launch logs {run} -f\n  npu-launch stop {run}")
