"""The ports of a cluster's Ray lie in one block."""

from __future__ import annotations

from launcher.planning.ray_ports import DEFAULT_RAY_PORT, ray_ports
from launcher.specs.ray import RAY_PORTS


def test_the_ports_are_all_different_and_in_one_block() -> None:
    *single, workers = ray_ports(DEFAULT_RAY_PORT)
    every = [*single, *workers]
    assert len(set(every)) == len(every)
    assert set(every) <= set(range(DEFAULT_RAY_PORT, DEFAULT_RAY_PORT + RAY_PORTS))
    assert single[0] == DEFAULT_RAY_PORT
