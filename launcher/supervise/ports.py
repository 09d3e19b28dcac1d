"""Which ports a run listens on: a block that no other run has, and nobody listens in."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

from launcher.errors import InfrastructureError
from launcher.planning.claims import BLOCKS, PORTS, named_blocks
from launcher.planning.place import hccl_ports
from launcher.specs import Recipe

_HCCL = "HCCL_IF_BASE_PORT"


def scheduler_port(recipe: Recipe, block: int) -> int:
    """Where the ranks meet: the recipe's own port, else the one behind those of HCCL in the run's block."""
    own: int | None = recipe.scheduler_port
    return hccl_ports(block).stop if own is None else own


def choose_block(recipe: Recipe, run: str, *, on_npus: bool, can_have: Callable[[int], bool]) -> int:
    """The first port of a block whose ports that this recipe needs are free, and that `can_have` agrees to.

    Each run begins its search elsewhere, and always at the same block. Blocks that have ports which the recipe names
    are asked for too. Raises InfrastructureError when there is none, or a port that the recipe names is taken.
    """
    if recipe.scheduler_port is not None and not _is_free(recipe.scheduler_port):
        raise InfrastructureError(
            f"port {recipe.scheduler_port} is taken{_listener(recipe.scheduler_port)}",
            where="scheduler_port",
            expected="a free port, for the ranks to meet at",
            remedy="end what listens there, or leave scheduler_port out: a free one is chosen then",
        )
    named = named_blocks(recipe.env) if on_npus else ()
    if not all(map(can_have, named)):
        raise InfrastructureError(
            f"the ports from {recipe.env[_HCCL]} on are another run's",
            where=f"env.{_HCCL}",
            expected="ports that no other run has claimed",
            remedy=f"leave {_HCCL} out: a free block is chosen then",
        )
    first = zlib.crc32(run.encode()) % len(BLOCKS)
    blocks: list[int] = [*BLOCKS[first:], *BLOCKS[:first]]
    for block in blocks:
        if block in named or not _fits(recipe, block, on_npus):
            continue
        if all(map(_is_free, _needed(recipe, block, on_npus))) and can_have(block):
            return block
    raise InfrastructureError(
        f"none of the {len(BLOCKS)} blocks of ports between {PORTS.start} and {PORTS.stop - 1} is free",
        expected="a block of 64 ports that no other run has and nobody listens in",
        remedy="see what listens: ss -ltnp",
    )


def _fits(recipe: Recipe, block: int, on_npus: bool) -> bool:
    """Whether the ports that a recipe names itself leave this block's alone."""
    if not on_npus:
        return True
    own = recipe.env.get(_HCCL)
    base = int(own) if own is not None and own.isascii() and own.isdigit() else block
    return scheduler_port(recipe, block) not in hccl_ports(base)


def _needed(recipe: Recipe, block: int, on_npus: bool) -> Iterator[int]:
    if recipe.scheduler_port is None:
        yield scheduler_port(recipe, block)
    if on_npus and _HCCL not in recipe.env:
        yield from hccl_ports(block)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _listener(port: int) -> str:
    """` by pid N (name)`, as far as this user may see it."""
    import psutil

    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port
            if listens and connection.pid:
                return f" by pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
