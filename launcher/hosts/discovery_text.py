"""Writes a discovered cluster as a commented YAML file that loads as that cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from launcher.hosts.discovery import Discovery
from launcher.specs import Device, Ssh

_BARE: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*")
_WORDS: Final = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")


def write_discovery(discovery: Discovery) -> str:
    """The file's text; equal for equal reports."""
    return "\n".join(_lines(discovery)) + "\n"


def _lines(discovery: Discovery) -> Iterator[str]:
    cluster, remarks = discovery.cluster, discovery.remarks
    yield "# Written by npu-launch discover from what the hosts report. Check it with: npu-launch check FILE"
    yield from _comments("# ", remarks.general)
    yield f"name: {_scalar(cluster.name)}"
    yield f"soc: {_scalar(cluster.soc)}"
    if cluster.cann is not None:
        yield f"cann: {_scalar(cluster.cann)}"
    yield "hosts:"
    for host in cluster.hosts:
        yield f"  - name: {_scalar(host.name)}"
        yield from _comments("    # ", remarks.hosts.get(host.name, ()))
        yield f"    address: {_scalar(host.address)}"
        if host.ssh is not None:
            yield f"    ssh: {_ssh(host.ssh)}"
        if host.super_pod is not None:
            yield f"    super_pod: {_scalar(host.super_pod)}"
        if host.cann is not None and host.cann != cluster.cann:
            yield f"    cann: {_scalar(host.cann)}"
        yield "    devices:"
        for device in host.device_list:
            said = "; ".join(remarks.devices.get((host.name, device.id), ()))
            yield f"      - {_device(device)}{f'  # {_printable(said)}' if said else ''}"


def _device(device: Device) -> str:
    values = {"id": str(device.id)}
    if device.ip is not None:
        values["ip"] = _scalar(device.ip)
    if device.super_device_id is not None:
        values["super_device_id"] = _scalar(device.super_device_id)
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def _ssh(ssh: Ssh) -> str:
    values = {key: getattr(ssh, key) for key in type(ssh).model_fields if getattr(ssh, key) is not None}
    said = (f"{key}: {value if isinstance(value, int) else _scalar(value)}" for key, value in values.items())
    return "{" + ", ".join(said) + "}"


def _comments(mark: str, remarks: Iterable[str]) -> Iterator[str]:
    return (mark + _printable(remark) for remark in remarks)


def _scalar(text: str) -> str:
    """A text as YAML: bare where nobody can take it for something else. A JSON string is one of YAML."""
    return text if _BARE.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def _printable(text: str) -> str:
    """One line: what a host said may hold anything."""
    return "".join(character if character.isprintable() else " " for character in text)
