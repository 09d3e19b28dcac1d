"""A gang on two hosts, from its launch to its end: real shims, which one machine keeps, and a real supervisor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from launcher.planning.model import LaunchPlan, RankProcess, ServiceProcess
from launcher.runs.events import AttemptStarted, Decided, Event, HostReady, ProcessStarted, RunCreated
from launcher.runs.home import write_file
from launcher.runs.record import RecordReader
from launcher.runs.state import RunPhase, RunState
from launcher.runs.store import RunDirectory, create_run
from launcher.specs import Cluster, FrozenMap, dump_yaml, recipe_from_mapping
from launcher.supervise.claims import Allotment
from launcher.supervise.link import ShimLink
from launcher.supervise.on_host import see_to_shim
from launcher.supervise.preparation import attempt_started, prepare_attempt
from launcher.supervise.supervisor import Supervisor
from tests.end_to_end import wait_for

Change = Callable[[RankProcess], RankProcess]


def begin(
    folder: Path, script: str, change: Change = lambda rank: rank, services: tuple[ServiceProcess, ...] = ()
) -> RunDirectory:
    """A run of four ranks on h0 and h1 whose first attempt is planned, with `change` made to its ranks."""
    (folder / "train.sh").write_text(f"#!/bin/bash\n{script}\n")
    (folder / "train.sh").chmod(0o755)
    values = {"name": "pair", "framework": "plain", "ranks": 4, "script": "train.sh", "relative_to": str(folder)}
    recipe = recipe_from_mapping(values)
    hosts = tuple({"name": name, "address": f"127.0.0.{n}", "devices": 2} for n, name in enumerate(("h0", "h1"), 1))
    cluster = Cluster.model_validate({"name": "lab", "soc": "CPU", "hosts": hosts})
    run = create_run("pair", dump_yaml(recipe.resolved()), dump_yaml(cluster), time.time())
    plan = prepare_attempt(run, recipe, cluster, 1, Allotment(frozenset(), 20480))
    # Both hosts are this machine, where the second could not have what the first has claimed.
    plan = plan.model_copy(update={"claims": (), "ranks": tuple(map(change, plan.ranks)), "services": services})
    write_file(run.layout.attempt(1).plan, plan.model_dump_json())
    _record(run, _created(run, plan), attempt_started(plan, recipe, time.time()))
    return run


def _created(run: RunDirectory, plan: LaunchPlan) -> RunCreated:
    return RunCreated(
        time=time.time(), run=run.id, name="pair", framework="plain", target="CPU", world_size=4, hosts=plan.hosts
    )


def _record(run: RunDirectory, *events: Event) -> None:
    writer = run.writer()
    assert writer.append(events) is None
    writer.close()


async def supervised(run: RunDirectory) -> RunState:
    """The state in which the run has ended, and its shims have left."""
    supervisor = Supervisor(run, lambda host: ShimLink(run.shim_socket(host)), by="keeper")
    try:
        return await asyncio.wait_for(supervisor.supervise(), 60)
    finally:
        for host in ("h0", "h1"):
            await ShimLink(run.shim_socket(host)).send({"op": "leave"})


def _journal(run: RunDirectory, host: str) -> list[Event]:
    return RecordReader(run.shim_journal(host)).read()


def record_of(run: RunDirectory) -> list[Event]:
    return RecordReader(run.layout.events).read()


def test_ranks_start_when_both_hosts_are_ready(home: Path, tmp_path: Path) -> None:
    run = begin(tmp_path, "exit 0")
    state = asyncio.run(supervised(run))
    assert state.phase is RunPhase.SUCCEEDED
    told = [event for event in record_of(run) if isinstance(event, (HostReady, ProcessStarted, Decided))]
    assert {event.host for event in told[:2] if isinstance(event, HostReady)} == {"h0", "h1"}
    assert isinstance(told[2], Decided) and told[2].decision == "go"
    assert [type(event) for event in told[3:7]] == [ProcessStarted] * 4


def test_no_rank_starts_where_one_host_could_not_start_its_own(home: Path, tmp_path: Path) -> None:
    def without_program(rank: RankProcess) -> RankProcess:
        return rank.model_copy(update={"argv": ("/no/such/program",)}) if rank.host == "h1" else rank

    run = begin(tmp_path, f"touch {tmp_path}/started", without_program)
    state = asyncio.run(supervised(run))
    assert state.phase is RunPhase.FAILED
    assert "cannot execute '/no/such/program'" in state.reason
    assert not [event for event in record_of(run) if isinstance(event, ProcessStarted)]
    assert not (tmp_path / "started").exists()


def test_a_supervisor_that_takes_over_says_go_again(home: Path, tmp_path: Path) -> None:
    """The one before it wrote its decision down and died before it told anybody."""
    run = begin(tmp_path, "exit 0")
    for host in ("h0", "h1"):
        see_to_shim(run, host, 1, 0, has_begun=False, is_spread=False)
    wait_for(lambda: all(_journal(run, host) for host in ("h0", "h1")), "both hosts are ready")
    ready = [event for host in ("h0", "h1") for event in _journal(run, host)]
    assert [type(event) for event in ready] == [HostReady] * 2
    _record(run, *ready, Decided(time=time.time(), decision="go", reason="all 2 hosts are ready"))
    state = asyncio.run(supervised(run))
    assert state.phase is RunPhase.SUCCEEDED
    assert len([e for e in record_of(run) if isinstance(e, Decided) and e.decision == "go"]) == 1
    assert len([e for e in record_of(run) if isinstance(e, AttemptStarted)]) == 1


def test_a_service_ends_when_the_ranks_of_all_hosts_have_and_the_run_has_succeeded(home: Path, tmp_path: Path) -> None:
    scheduler = ServiceProcess(
        name="scheduler",
        host="h0",
        argv=("/bin/sleep", "300"),
        env=FrozenMap({}),
        cwd=str(tmp_path),
        log=str(tmp_path / "scheduler.log"),
    )
    run = begin(tmp_path, "exit 0", services=(scheduler,))
    state = asyncio.run(supervised(run))
    assert (state.phase, state.reason) == (RunPhase.SUCCEEDED, "all 4 ranks ended with exit code 0")
    (stop,) = [event for event in record_of(run) if isinstance(event, Decided) and event.decision == "stop"]
    assert stop.reason == "all ranks have ended"
    assert state.first_failure is None
