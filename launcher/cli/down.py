"""`npu-launch down`: keep Ray warm no longer."""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.options import ClusterArgument


def down(
    cluster: ClusterArgument = None,
    force: Annotated[bool, typer.Option("--force", help="Stop the runs that are on the cluster first.")] = False,
) -> int:
    """End the Ray that `npu-launch up` started, here or on the hosts of a cluster.

    Nothing of it goes on there, and its token and the list of hosts go.
    Environments, code and runs stay. While runs are on the cluster it is
    refused.
    """
    from launcher.cli.clusters import interruptible, spread_cluster
    from launcher.cli.output import talk
    from launcher.errors import UsageError

    loaded = spread_cluster(cluster)
    if loaded is None:
        from launcher.supervise.warm import take_down

        if force:
            raise UsageError("--force without other hosts", remedy="npu-launch ps shows the runs that hold Ray")
        talk("npu-launch: Ray has ended" if take_down() else "npu-launch: no Ray of npu-launch was running")
        return 0
    from launcher.cli.output import tell
    from launcher.hosts.ways import open_reach
    from launcher.supervise.fleet.down import take_down as take_fleet_down

    with interruptible(open_reach(loaded)) as reach:
        was_up = take_fleet_down(loaded, force=force, reach=reach, tell=tell)
    talk(f"npu-launch: {loaded.name} {'is down' if was_up else 'was not up'}")
    return 0
