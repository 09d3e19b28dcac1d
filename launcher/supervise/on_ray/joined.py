"""Waits until this host is in the Ray of its cluster; at the head, until all hosts are.

Run as `python -m launcher.supervise.on_ray.joined CLUSTER SECONDS` after `start`. Answers with a line of JSON on
standard output as soon as it is known: `{"joined": true}`, with `was_up` where this host had not to be waited for, and
at the head with `nodes`, the addresses of all hosts in Ray; or `{"error": TEXT}` and exit code 4 when the time is up,
and at once when it cannot become true by itself (a port is taken, the head has another version). At the head the text
names the hosts that are missing. In a Ray that somebody else keeps each host looks for itself, once.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress

from launcher.errors import InfrastructureError
from launcher.runs.clusters import Membership
from launcher.supervise.on_ray.others_ray import check_other
from launcher.supervise.on_ray.remote import Answer, reply
from launcher.supervise.on_ray.service import Service, head_service, node_service
from launcher.supervise.on_ray.settings import driver_environment
from launcher.supervise.on_ray.terms import cluster_address, own_membership
from launcher.supervise.patience import within

_PAUSE = 0.1  # seconds between looks


async def joined(cluster: str, seconds: str) -> Answer:
    """Wait. Raises InfrastructureError."""
    deadline = time.monotonic() + float(seconds)
    membership = own_membership(cluster)
    if membership.external is not None:
        await check_other(membership)
        return {"joined": True}
    was_up = await _until_up(head_service(cluster) if membership.is_head else node_service(cluster), deadline)
    nodes = {"nodes": await _until_all_are_there(membership, deadline)} if membership.is_head else {}
    return {"joined": True, "was_up": was_up, **nodes}


async def _until_up(service: Service, deadline: float) -> bool:
    """Wait for this host's own part of Ray; whether it was up already."""
    was_up = True
    trouble = f"{service.module} does not run here"
    while time.monotonic() < deadline:
        with suppress(OSError, TimeoutError, asyncio.TimeoutError):
            status, writer = await within(service.ask("status", start=False), deadline - time.monotonic())
            writer.close()
            if status["up"]:
                return was_up
            trouble = str(status["trouble"] or "Ray has not come up yet")
            if status["hopeless"]:
                break
        was_up = False
        await asyncio.sleep(_PAUSE)
    raise InfrastructureError(trouble, where=str(service.log))


async def _until_all_are_there(membership: Membership, deadline: float) -> list[str]:
    """Wait for all hosts, at the head. The addresses of those in Ray."""
    wanted = {member.ip: member.name for member in membership.members}
    there: list[str] = []
    with suppress(asyncio.TimeoutError):
        await within(_watch(membership, set(wanted), there), deadline - time.monotonic())
        return there
    missing = ", ".join(f"{name} ({ip})" for ip, name in wanted.items() if ip not in there)
    raise InfrastructureError(
        f"not in the Ray of {membership.cluster}: {missing}",
        where=cluster_address(membership),
        remedy="those hosts say why; a firewall has to let all hosts reach each other on Ray's ports",
    )


async def _watch(membership: Membership, wanted: set[str], there: list[str]) -> None:
    """Keep `there` up to date until all wanted are."""
    while True:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "launcher.supervise.on_ray.present", cluster_address(membership)),
            env=driver_environment(membership),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
        )
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                there[:] = json.loads(line)
                if wanted.issubset(there):
                    return
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.sleep(_PAUSE)


if __name__ == "__main__":
    reply(joined)
