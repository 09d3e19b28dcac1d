"""Waits until this host is in the Ray of its cluster; at the head, until all hosts are.

Run as `python -m launcher.supervise.on_ray.joined CLUSTER SECONDS` after `start`. Answers with a line of JSON on
standard output as soon as it is known: `{"joined": true}`, at the head with `nodes`, the addresses of all hosts in Ray;
or `{"error": TEXT}` and exit code 4 when the time is up, and at once when it cannot become true by itself (a port is
taken, the head has another version). At the head the text names the hosts that are missing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress

from launcher.errors import InfrastructureError
from launcher.runs.clusters import Membership
from launcher.supervise.on_ray.remote import Answer, reply
from launcher.supervise.on_ray.service import Service, head_service, node_service
from launcher.supervise.on_ray.settings import driver_environment
from launcher.supervise.on_ray.terms import cluster_address, own_membership

_PAUSE = 0.1  # seconds between looks


async def joined(cluster: str, seconds: str) -> Answer:
    """Wait. Raises InfrastructureError."""
    deadline = time.monotonic() + float(seconds)
    membership = own_membership(cluster)
    if membership.external is None:
        await _until_up(head_service(cluster) if membership.is_head else node_service(cluster), deadline)
        if not membership.is_head:
            return {"joined": True}
    return {"joined": True, "nodes": await _until_all_are_there(membership, deadline)}


async def _until_up(service: Service, deadline: float) -> None:
    """Wait for this host's own part of Ray."""
    trouble = f"{service.module} does not run here"
    while time.monotonic() < deadline:
        with suppress(OSError, TimeoutError, asyncio.TimeoutError):
            status, writer = await asyncio.wait_for(service.ask("status", start=False), deadline - time.monotonic())
            writer.close()
            if status["up"]:
                return
            trouble = str(status["trouble"] or "Ray has not come up yet")
            if status["hopeless"]:
                break
        await asyncio.sleep(_PAUSE)
    raise InfrastructureError(trouble, where=str(service.log))


async def _until_all_are_there(membership: Membership, deadline: float) -> list[str]:
    """Wait for all hosts; for this one alone where it is not the head. The addresses of those in Ray."""
    wanted = {
        member.ip: member.name for member in membership.members if membership.is_head or member.name == membership.me
    }
    there: list[str] = []
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_watch(membership, set(wanted), there), deadline - time.monotonic())
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
