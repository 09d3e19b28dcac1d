"""Any cluster of any chip, for the promises that a rank table keeps for all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from launcher.planning.placement import Seat, place_ranks
from launcher.specs import Cluster, recipe_from_mapping

SOCS = {
    "1.0": ("Ascend910A", "Ascend910B3", "Ascend910_9391"),
    "1.2": ("Ascend910_9391",),
    "2.0": ("Ascend950PR",),
    "legacy": ("Ascend910A",),
    "legacy-lab": ("Ascend910A",),
}


@st.composite
def clusters(draw: st.DrawFn, format: str) -> Cluster:
    """A cluster that has what this format needs, its hosts in the order of their names in the table."""
    soc = draw(st.sampled_from(SOCS[format]))
    numbers = draw(st.lists(st.integers(0, 255), min_size=1, max_size=4, unique=True))
    is_ipv6 = draw(st.booleans())
    has_ips = len(numbers) > 1 or draw(st.booleans())
    limit = 8 if soc == "Ascend910A" else 16
    hosts: list[dict[str, Any]] = []
    for place, number in enumerate(sorted(numbers, key=str)):
        ids = draw(st.lists(st.integers(0, limit - 1), min_size=1, max_size=8, unique=True))
        host: dict[str, Any] = {"name": f"host-{number}", "address": f"10.0.0.{number}"}
        if draw(st.booleans()):
            host["server_id"] = f"node-{number:03}" if format != "2.0" else None
        if format == "1.2":
            host["super_pod"] = f"pod-{place // 2}"
        host["devices"] = [_device(format, number, id, is_ipv6, has_ips) for id in sorted(ids)]
        if draw(st.booleans()):
            host["devices"][0]["port"] = draw(st.integers(1024, 65535))
        hosts.append(host)
    hosts.sort(key=lambda host: host.get("server_id") or host["address"])
    if format == "1.2":
        for place, host in enumerate(hosts):
            host["super_pod"] = f"pod-{place // 2}"
    return Cluster.model_validate({"name": "any", "soc": soc, "hosts": hosts})


def _device(format: str, host: int, id: int, is_ipv6: bool, has_ips: bool) -> dict[str, Any]:
    if format == "2.0":
        return {"id": id, "levels": _levels(host, id)}
    device: dict[str, Any] = {"id": id}
    if has_ips:
        device["ip"] = f"fd00::{host}:{id}" if is_ipv6 else f"192.168.{id}.{host}"
    if format == "1.2":
        device["super_device_id"] = str(37748736 + host * 16 + id)
    return device


def _levels(host: int, id: int) -> list[dict[str, Any]]:
    inside = {"type": "IPV4", "address": f"172.16.{host}.{id}", "ports": ["1/0"]}
    outside = {"type": "EID", "address": f"{host * 16 + id:032x}", "ports": ["0/4", "0/5"], "plane_id": "plane0"}
    return [
        {"net_layer": 0, "net_instance_id": f"pod-{host}", "net_type": "TOPO_FILE_DESC", "addresses": [inside]},
        {"net_layer": 1, "net_instance_id": "az0", "net_type": "CLOS", "addresses": [outside]},
    ]


def all_seats(cluster: Cluster) -> tuple[Seat, ...]:
    """A rank on each device."""
    return first_seats(cluster, cluster.device_count)


def first_seats(cluster: Cluster, ranks: int) -> tuple[Seat, ...]:
    """So many ranks, on the first devices."""
    values = {"name": "job", "framework": "plain", "ranks": ranks, "script": "train.py", "relative_to": "/home"}
    return place_ranks(recipe_from_mapping(values), cluster)
