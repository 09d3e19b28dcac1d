"""What a container changes about a plan, and what `docker run` has to be told for it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from launcher.errors import PlanError
from launcher.planning.model import Environment, LaunchPlan, RankProcess, Target
from launcher.planning.rendering.parts import ranks_by_host, spans
from launcher.specs import Cluster, Container, ContainerRuntime

# Docker flags for Ascend (Ascend/mind-cluster, usage on the docker client).
_DEVICES: Final = ("/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc")
_DRIVER: Final = (
    "/usr/local/Ascend/driver:/usr/local/Ascend/driver:ro",
    "/usr/local/dcmi:/usr/local/dcmi:ro",
    "/usr/local/bin/npu-smi:/usr/local/bin/npu-smi:ro",
    "/etc/ascend_install.info:/etc/ascend_install.info:ro",
)
_HCCN: Final = "/etc/hccn.conf:/etc/hccn.conf:ro"  # ascend-docker-runtime does not pass it in by itself


def container_of(cluster: Cluster, host: str) -> Container:
    """The container of a host. Raises PlanError when the cluster names none."""
    named = next((member.container for member in cluster.hosts if member.name == host), None) or cluster.container
    if named is None:
        raise PlanError(
            f"cluster {cluster.name} does not say which image ranks run in",
            where=str(cluster.source or ""),
            expected="container: {image: NAME:TAG}",
            remedy="add container.image to the cluster file (-c FILE)",
        )
    return named


def in_container(plan: LaunchPlan) -> LaunchPlan:
    """The plan for ranks that see the job's devices of their host and no others.

    A device keeps its physical id there, by which /dev and the rank table name it, but a process numbers what it sees
    from 0 (Ascend/mind-cluster, usage on the docker client): DEVICE_ID and its like are a device's place on its host,
    and there is nothing left to hide with ASCEND_RT_VISIBLE_DEVICES. What set_env.sh leaves on the host is not what the
    one of the image leaves.
    """
    plan = plan.model_copy(update={"host_environments": ()})
    if plan.target is Target.CPU:
        return plan
    devices = {host: sorted(rank.slot for rank in ranks) for host, ranks in ranks_by_host(plan).items()}

    def place(rank: RankProcess) -> str:
        return str(devices[rank.host].index(rank.slot))

    def renumbered(rank: RankProcess) -> RankProcess:
        numbers = {"DEVICE_ID": place(rank), "ASCEND_DEVICE_ID": place(rank), "CM_CHIEF_DEVICE": place(plan.ranks[0])}
        env = {
            name: numbers.get(name, value) for name, value in rank.env.items() if name != "ASCEND_RT_VISIBLE_DEVICES"
        }
        return rank.model_copy(update={"env": Environment(env)})

    return plan.model_copy(update={"ranks": tuple(map(renumbered, plan.ranks))})


def docker_arguments(plan: LaunchPlan, host: str, container: Container) -> tuple[str, ...]:
    """What `docker run` is told for one host, before the image: network, memory, devices, mounts, the user's own."""
    devices = sorted(rank.device for rank in ranks_by_host(plan)[host] if rank.device is not None)
    shared_memory = "--ipc=host" if container.shm_size is None else f"--shm-size={container.shm_size}b"
    return (
        "--network=host",
        shared_memory,
        f"--stop-timeout={math.ceil(plan.grace) + 10}",  # the ranks' grace, and some for those who end them
        *_device_arguments(devices, container.runtime),
        *(f"--volume={mount}" for mount in container.mounts),
        *container.options,
    )


def _device_arguments(devices: list[int], runtime: ContainerRuntime) -> Iterator[str]:
    if not devices:
        return
    if runtime is ContainerRuntime.ASCEND:
        yield from ("--runtime=ascend", f"--env=ASCEND_VISIBLE_DEVICES={spans(devices)}")
    else:
        yield from (f"--device=/dev/davinci{device}" for device in devices)
        yield from (f"--device={node}" for node in _DEVICES)
        yield from (f"--volume={mount}" for mount in _DRIVER)
    yield f"--volume={_HCCN}"
