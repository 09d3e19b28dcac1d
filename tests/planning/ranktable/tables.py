"""Sound tables of every format as plain values, to be spoilt by tests."""

from __future__ import annotations

import json
from typing import Any

Values = dict[str, Any]


def v1_0(servers: int = 2, devices: int = 8) -> Values:
    return {
        "status": "completed",
        "version": "1.0",
        "server_count": str(servers),
        "server_list": [
            {
                "server_id": f"10.0.0.{10 + server}",
                "host_nic_ip": "reserve",
                "device": [
                    {
                        "device_id": str(device),
                        "device_ip": f"192.168.{device + 1}.{8 + server}",
                        "rank_id": str(server * devices + device),
                    }
                    for device in range(devices)
                ],
            }
            for server in range(servers)
        ],
    }


def v1_2(pods: int = 2, servers: int = 2, devices: int = 4) -> Values:
    """`servers` are those of each pod."""
    table = v1_0(pods * servers, devices)
    table["version"] = "1.2"
    for number, server in enumerate(table["server_list"]):
        server["server_id"] = f"node_{number}"
        server["host_ip"] = f"172.16.0.{100 + number}"
        for position, device in enumerate(server["device"]):
            device["super_device_id"] = str((number % servers) * devices + position)
    names = [server["server_id"] for server in table["server_list"]]
    table["super_pod_list"] = [
        {
            "super_pod_id": str(pod),
            "server_list": [{"server_id": name} for name in names[pod * servers : (pod + 1) * servers]],
        }
        for pod in range(pods)
    ]
    return table


def v2_0(servers: int = 2, devices: int = 2) -> Values:
    return {
        "status": "completed",
        "version": "2.0",
        "rank_count": servers * devices,
        "rank_list": [
            {
                "rank_id": server * devices + device,
                "local_id": device,
                "device_id": device,
                "device_port": 16666 + server * devices + device,
                "level_list": _levels(server, device),
            }
            for server in range(servers)
            for device in range(devices)
        ],
    }


def _levels(server: int, device: int) -> list[Values]:
    eid = f"{server * 16 + device:032x}"
    return [
        {
            "net_layer": 0,
            "net_instance_id": f"az0-rack0-pod{server}",
            "net_type": "TOPO_FILE_DESC",
            "net_attr": "",
            "rank_addr_list": [{"addr_type": "IPV4", "addr": f"172.16.{server}.{10 + device}", "ports": ["1/0"]}],
        },
        {
            "net_layer": 1,
            "net_instance_id": "az0",
            "net_type": "CLOS",
            "net_attr": "",
            "rank_addr_list": [
                {
                    "addr_type": "IPV4",
                    "addr": f"172.16.{server}.{20 + device}",
                    "ports": ["0/4", "0/5"],
                    "plane_id": "plane0",
                },
                {"addr_type": "EID", "addr": eid, "ports": ["1/5", "1/6"], "plane_id": "plane1"},
            ],
        },
    ]


def legacy(servers: int = 2, devices: int = 8) -> Values:
    return {
        "status": "completed",
        "group_count": "1",
        "group_list": [
            {
                "group_name": "hccl_world_group",
                "instance_count": str(servers),
                "device_count": str(servers * devices),
                "instance_list": [
                    {
                        "pod_name": f"job-{server}",
                        "server_id": f"10.0.0.{10 + server}",
                        "devices": [
                            {"device_id": str(device), "device_ip": f"192.{device + 1}.27.{6 + server}"}
                            for device in range(devices)
                        ],
                    }
                    for server in range(servers)
                ],
            }
        ],
    }


def lab(devices: int = 2) -> Values:
    return {
        "board_id": "0x0020",
        "chip_info": "910",
        "deploy_mode": "lab",
        "group_count": "1",
        "group_list": [
            {
                "device_num": str(devices),
                "server_num": "1",
                "group_name": "",
                "instance_count": str(devices),
                "instance_list": [
                    {
                        "devices": [{"device_id": str(device), "device_ip": f"192.{device + 1}.27.6"}],
                        "rank_id": str(device),
                        "server_id": "10.155.111.140",
                    }
                    for device in range(devices)
                ],
            }
        ],
        "para_plane_nic_location": "device",
        "para_plane_nic_name": [f"eth{device}" for device in range(devices)],
        "para_plane_nic_num": str(devices),
        "status": "completed",
    }


def text(values: Values) -> str:
    return json.dumps(values, indent=2) + "\n"


def at(values: Values, path: str) -> Any:
    """What stands at a path such as `server_list[1].device[3]`."""
    found: Any = values
    for step in path.replace("[", ".").replace("]", "").split("."):
        found = found[int(step) if step.isdigit() else step]
    return found
