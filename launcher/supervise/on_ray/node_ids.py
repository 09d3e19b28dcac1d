"""Which node of Ray is on which host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ray

_FRESH = 1.0  # seconds for which an answer of Ray's head is good for all hosts
_list_nodes: Callable[[], list[dict[str, Any]]] = ray.nodes


class NodeIds:
    """The nodes that Ray's head believes to be alive, by address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: dict[str, list[str]] = {}
        self._asked_at: float | None = None

    def at(self, ip: str, but_not: str | None) -> str | None:
        """The id of the node at an address, None where there is none; waits for the head.

        The head notices late that a node has died: of several at one address it is another than the one that failed.
        """
        with self._lock:
            if self._asked_at is None or time.monotonic() - self._asked_at > _FRESH:
                alive: dict[str, list[str]] = {}
                for node in _list_nodes():
                    if node["Alive"]:
                        alive.setdefault(node["NodeManagerAddress"], []).append(node["NodeID"])
                self._alive, self._asked_at = alive, time.monotonic()
            nodes = self._alive.get(ip, [])
        return min(nodes, key=lambda node: node == but_not, default=None)
