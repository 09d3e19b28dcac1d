"""Whether this host is in a Ray that somebody else keeps, and that Ray is one for us."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from contextlib import suppress

from launcher.errors import InfrastructureError
from launcher.runs.clusters import Membership
from launcher.supervise.on_ray.ray_process import INVALID_TOKEN, other_version
from launcher.supervise.on_ray.settings import driver_environment
from launcher.supervise.on_ray.terms import cluster_address
from launcher.supervise.on_ray.trust import shake_hands
from launcher.supervise.patience import within

_CONNECT = 5.0  # seconds
_LOOK = 30.0  # seconds; a busy host takes three
_ADDRESS = re.compile(r"\[?([^\[\]]+)\]?:([0-9]+)")


async def check_other(membership: Membership) -> None:
    """Return when all is well. Raises InfrastructureError: it does not answer, is another version, does not know us."""
    address = cluster_address(membership)
    await _reach(membership, address)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "launcher.supervise.on_ray.look", address),
        env=driver_environment(membership),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
    )
    try:
        out, err = await within(process.communicate(), _LOOK)
    except asyncio.TimeoutError:
        raise InfrastructureError(f"the Ray that is there has not answered in {_LOOK:.0f} s", where=address) from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        raise _failure(address, err.decode(errors="replace").strip())
    mine = membership.ip(membership.me)
    there = json.loads(out)
    if mine not in there:
        raise InfrastructureError(
            f"{mine} is no node of the Ray that is there",
            where=address,
            expected=f"one of its nodes: {', '.join(there)}",
            remedy="start it on this host (ray start --address), or write that node's address into the cluster spec",
        )


async def _reach(membership: Membership, address: str) -> None:
    """Return when something answers there. Ray itself would try for a minute."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise InfrastructureError(f"'{address}' is no address", expected="HOST:PORT", remedy="see ray.address")
    host, port = match[1], int(match[2])
    try:
        _, writer = await within(asyncio.open_connection(host, port), _CONNECT)
        writer.close()
        if membership.tls is not None:
            await shake_hands(host, port, membership.tls)
    except (OSError, asyncio.TimeoutError) as error:
        raise InfrastructureError(
            f"no Ray answers there: {error or f'nothing after {_CONNECT:.0f} s'}",
            where=address,
            expected="a Ray that is there already",
            remedy="ray.address in the cluster spec is HOST:PORT of its head (ray start --head says it)",
        ) from None


def _failure(address: str, said: str) -> InfrastructureError:
    if (mismatch := other_version(said, "the Ray that is there")) is not None:
        return mismatch
    if INVALID_TOKEN in said:
        return InfrastructureError(
            "the Ray that is there wants another token",
            where=address,
            expected="the token that it was started with",
            remedy="ray.token in the cluster spec is the file that has it, on this machine",
        )
    return InfrastructureError(f"the Ray that is there cannot be used: {said.rpartition(chr(10))[2]}", where=address)
