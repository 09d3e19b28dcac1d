"""Makes a host's report of the evidence that the probe has gathered there; purely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from launcher.hosts.reading import request as places
from launcher.hosts.reading.commands import Commands
from launcher.hosts.reading.device_nodes import node_ids
from launcher.hosts.reading.hccn_conf import read_hccn_conf
from launcher.hosts.reading.machine import count_cpus, read_addresses, read_limits, read_memory
from launcher.hosts.reading.npus import read_npus
from launcher.hosts.reading.ranges import read_ranges
from launcher.hosts.reading.versions import read_version
from launcher.hosts.report import Clock, Filesystem, HostReport, Package, PathKind, Unread

Value = TypeVar("Value")

# Parts of the evidence whose names say nothing to a person.
_SPOKEN: Final = {
    "tools": "npu-smi, hccn_tool",
    "holders": "/proc/*/fd",
    "listening": "/proc/net/tcp",
    "interfaces": "network interfaces",
    "texts": "files",
}
_FRAMEWORKS: Final = {"mindspore_ascend": "mindspore", "tensorflow_cpu": "tensorflow"}


def read_evidence(host: str, evidence: Mapping[str, Any], asked: float, answered: float) -> HostReport:
    """The report of a host. `asked` and `answered` are the asker's clock around the evidence, in seconds since 1970."""
    unread: list[Unread] = []
    texts = _texts(evidence, unread)
    nodes = node_ids(evidence.get("nodes", {}))
    closed = node_ids(path for path, is_open in evidence.get("nodes", {}).items() if not is_open)
    commands = Commands(_part(evidence, "tools", unread, []))
    found = read_npus(commands, nodes, _holders(evidence, unread))
    hccn_conf, odd = read_hccn_conf(texts.get(places.HCCN_CONF, ""))
    unread += [*found.unread, *odd]
    begun, ended = evidence["begun"], evidence["ended"]
    return HostReport(
        host=host,
        name=texts.get(places.HOSTNAME, "").strip(),
        architecture=evidence["architecture"],
        # While the probe ran nobody asked: the time between its two readings of the clock is taken out.
        clock=Clock(asked + (ended - begun), ended, answered),
        soc=found.soc,
        npus=found.npus,
        device_nodes=nodes,
        closed_nodes=closed,
        unlisted_ports=found.unlisted_ports,
        hccn_conf=hccn_conf,
        packages={**_ascend(texts, found.driver, unread), **_python(evidence, unread)},
        filesystems=_filesystems(evidence, unread),
        limits=read_limits(texts.get(places.LIMITS, "")),
        listening=tuple(_part(evidence, "listening", unread, [])),
        reserved_ports=_understood(read_ranges, texts, places.RESERVED_PORTS, unread) or (),
        paths=_paths(evidence, unread),
        addresses=read_addresses(texts.get(places.ROUTES, ""), texts.get(places.ROUTES_6, "")),
        interfaces={name: tuple(own) for name, own in _part(evidence, "interfaces", unread, {}).items()},
        cpus=_understood(count_cpus, texts, places.CPUS, unread),
        memory=_understood(read_memory, texts, places.MEMORY, unread),
        unread=tuple(unread),
    )


def _texts(evidence: Mapping[str, Any], unread: list[Unread]) -> dict[str, str]:
    """The files that could be read; one that is there and could not be is unread."""
    found = {}
    for path, answer in _part(evidence, "texts", unread, {}).items():
        if "text" in answer:
            found[path] = answer["text"]
        elif not answer.get("missing"):
            unread.append(Unread(path, answer.get("problem", "it could not be read")))
    return found


def _part(evidence: Mapping[str, Any], name: str, unread: list[Unread], nothing: Any) -> Any:
    """A part of the evidence, or nothing where the probe says what the problem with it was."""
    part = evidence.get(name, {"problem": "the host did not say"})
    if isinstance(part, dict) and isinstance(problem := part.get("problem"), str):
        unread.append(Unread(_SPOKEN.get(name, name), problem))
        return nothing
    return part


def _understood(
    read: Callable[[str], Value | None], texts: Mapping[str, str], path: str, unread: list[Unread]
) -> Value | None:
    text = texts.get(path)
    if text is None:
        return None
    value = read(text)
    if value is None:
        unread.append(Unread(path, "it is not understood", text[:300]))
    return value


def _holders(evidence: Mapping[str, Any], unread: list[Unread]) -> list[tuple[int, str, int]]:
    """(pid, name, device) of processes that have a device node open."""
    found = _part(evidence, "holders", unread, {"found": [], "complete": True})
    if not found["complete"]:
        unread.append(Unread("/proc/*/fd", "there are too many processes to look at all of them"))
    return [(pid, name, node_ids([node])[0]) for pid, name, node in found["found"]]


def _ascend(texts: Mapping[str, str], driver: str | None, unread: list[Unread]) -> dict[str, Package]:
    """Driver, firmware, CANN's toolkit and nnae. Of several files that say a version, the first asked for counts."""
    found: dict[str, Package] = {}
    for path, text in texts.items():
        kind = _kind(path)
        if kind is None or kind in found:
            continue
        package = read_version(text, path)
        if isinstance(package, Unread):
            unread.append(package)
        else:
            found[kind] = package
    if "driver" not in found and driver:
        found["driver"] = Package(driver, "npu-smi info")
    return found


def _kind(path: str) -> str | None:
    """What a version file speaks of. compiler/version.info stands for the toolkit where install.info is missing."""
    if path.endswith(("ascend_toolkit_install.info", "/compiler/version.info")):
        return "cann"
    if path.endswith("ascend_nnae_install.info"):
        return "nnae"
    for kind in ("driver", "firmware"):
        if path.endswith(f"/{kind}/version.info"):
            return kind
    return None


def _python(evidence: Mapping[str, Any], unread: list[Unread]) -> dict[str, Package]:
    """The interpreter and the frameworks that it would import."""
    answer = _part(evidence, "python", unread, {})
    if not answer:
        return {}
    found = {"python": Package(answer["version"], answer["executable"])}
    for name, (version, source) in answer["packages"].items():
        found.setdefault(_FRAMEWORKS.get(name, name), Package(version, source))
    return found


def _paths(evidence: Mapping[str, Any], unread: list[Unread]) -> dict[str, PathKind]:
    found = {}
    for path, seen in _part(evidence, "paths", unread, {}).items():
        if "problem" in seen:
            unread.append(Unread(path, seen["problem"]))
        else:
            found[path] = PathKind(seen["kind"])
    return found


def _filesystems(evidence: Mapping[str, Any], unread: list[Unread]) -> tuple[Filesystem, ...]:
    found = []
    for path, seen in _part(evidence, "filesystems", unread, {}).items():
        if "problem" in seen:
            unread.append(Unread(path, seen["problem"]))
        else:
            found.append(Filesystem(path, seen["total"], seen["free"], seen["inodes"]))
    return tuple(found)
