"""`npu-launch up`: keep Ray warm, on this machine or on the hosts of a cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import ClusterArgument

if TYPE_CHECKING:
    from launcher.hosts.ssh.trust import NewHostKey
    from launcher.hosts.ways import Ways
    from launcher.specs import Cluster
    from launcher.supervise.fleet.up import Fleet


def up(
    cluster: ClusterArgument = None,
    accept_host_keys: Annotated[
        bool,
        typer.Option(
            "--accept-new-host-keys",
            help="Show the keys of hosts that are unknown here, and put them into known_hosts.",
        ),
    ] = False,
) -> int:
    """Start Ray and keep it for coming runs: on this machine, or on all hosts of a cluster.

    Without it each run starts Ray beside its ranks, and the last one ends it.

    Hosts of a cluster need nothing but ssh: npu-launch brings itself there.
    What is up already stays as it is, and what is half done is completed.
    Where the first host was lost, another one that knows its runs goes on
    with them.

    \b
    npu-launch up
    npu-launch up clusters/two_nodes.yaml
    npu-launch up clusters/two_nodes.yaml --accept-new-host-keys
    """
    from launcher.cli.clusters import spread_cluster
    from launcher.cli.output import talk
    from launcher.errors import UsageError

    if (loaded := spread_cluster(cluster)) is not None:
        return _up(loaded, str(cluster), accept_host_keys=accept_host_keys)
    if accept_host_keys:
        raise UsageError("--accept-new-host-keys without other hosts", remedy="npu-launch up CLUSTER ...")
    from launcher.supervise.warm import bring_up

    talk(f"npu-launch: Ray is up at {bring_up()} and stays until npu-launch down")
    return 0


def _up(cluster: Cluster, named: str, *, accept_host_keys: bool) -> int:
    from launcher.cli.clusters import interruptible
    from launcher.cli.output import talk, tell
    from launcher.cli.wording import count
    from launcher.hosts.ways import open_reach
    from launcher.supervise.fleet.up import bring_up

    with interruptible(open_reach(cluster)) as reach:
        if accept_host_keys:
            _accept(cluster, reach)
        fleet = bring_up(cluster, stay=True, reach=reach, tell=tell)
        if not reach.is_here(fleet.head):
            _follow(fleet)
    for run in fleet.adopted:
        tell(f"run {run} had nobody who supervised it, and is supervised again")
    hosts = count(len(fleet.provided), "host")
    talk(f"npu-launch: {cluster.name} is up: {hosts}, head {fleet.head.name}; it stays until npu-launch down {named}")
    return 0


def _follow(fleet: Fleet) -> None:
    """Know of runs that have a new home where they are now; whoever shares that home knows already."""
    from launcher.runs.pointer import move, pointed_at
    from launcher.runs.store import all_runs

    at = fleet.at(fleet.head.name)
    for run in all_runs():
        known = pointed_at(run)
        if run.id in fleet.moved and known is not None and known.machine is None:
            move(run, at)


def _accept(cluster: Cluster, reach: Ways) -> None:
    """Put unknown keys on record. Raises HostKeyError for a key that was not agreed to, or is not that on record."""
    from launcher.cli.output import tell
    from launcher.hosts.ssh.problems import HostKeyError
    from launcher.supervise.fleet.asking import refuse, sort_out

    _, failed = sort_out(reach.accept_host_keys(cluster.hosts, _agreed))
    refuse({host: error for host, error in failed.items() if isinstance(error, HostKeyError)}, tell)


def _agreed(key: NewHostKey) -> bool:
    """Show a key, and whether it is to be believed: who sits at a terminal is asked, else the option is the answer."""
    from launcher.cli.output import Printer, is_terminal, tell

    tell(f"{key.host}: {key.known_as} has the key {key.kind} {key.fingerprint}, new in {key.file}")
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return True
    Printer(sys.stderr).text("is that its own (ssh-keygen -lf there shows it)? [Y/n] ")
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")
