"""Whether the devices reach each other: addresses, links, TLS, subnets."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import Port

_TABLE: Final = "HCCL user guide, cluster_info_config"
_HEALTHY: Final = "success"


def check_network(subject: Subject) -> Iterator[Finding]:
    """Addresses that differ between cluster spec, device and `/etc/hccn.conf`, links that are down, TLS that differs.

    Between the devices of one server HCCL takes other ways, so that there only addresses of the spec matter.
    """
    if subject.cluster.is_cpu:
        return
    yield from _addresses(subject)
    if subject.spans_hosts:
        yield from _links(subject)
        yield from _tls(subject)
        yield from _subnets(subject)


def _addresses(subject: Subject) -> Iterator[Finding]:
    for host, device, npu in subject.npus:
        configured = subject.reports[host.name].hccn_conf.get(device.id)
        own = npu.port.ip if npu.port is not None else None
        finding = None
        if device.ip is not None and own is not None and not _is_same(device.ip, own):
            agrees = ", and /etc/hccn.conf says so too" if configured is not None and _is_same(configured, own) else ""
            finding = Finding(
                subject.of_gang(Severity.REFUSE),
                Check.NETWORK,
                f"the device's address is {own}{agrees}",
                f"{device.ip}, as the cluster says (devices: ip): HCCL refuses another (EI0014)",
                "npu-launch discover writes the addresses that there are; "
                "hccn_tool -i {device} -ip -s address " + f"{device.ip} netmask MASK sets this one",
                source=_TABLE,
            )
        elif device.ip is not None and own is None and configured is not None and not _is_same(device.ip, configured):
            finding = Finding(  # the device itself was not heard: it may have another address than its file
                Severity.WARN,
                Check.NETWORK,
                f"/etc/hccn.conf says {configured}",
                f"{device.ip}, as the cluster says (devices: ip): HCCL refuses another (EI0014)",
                "hccn_tool -i {device} -ip -g tells the device's own; npu-launch discover writes what there is",
                source=_TABLE,
            )
        elif own is not None and configured is not None and not _is_same(own, configured):
            finding = Finding(
                Severity.WARN,
                Check.NETWORK,
                f"the device's address is {own}, but /etc/hccn.conf says {configured}",
                "one address in both: the device takes that of the file when the host starts again",
                "hccn_tool -i {device} -ip -s address " + f"{own} netmask MASK writes the file",
                source=_TABLE,
            )
        elif subject.spans_hosts and npu.port is not None and own is None and configured is None:
            finding = Finding(
                Severity.WARN,
                Check.NETWORK,
                "the device has no address",
                "one that the same devices of the other hosts reach",
                "hccn_tool -i {device} -ip -s address A.B.C.D netmask MASK",
                source=_TABLE,
            )
        if finding is not None:
            yield finding.at(host.name, device.id)


def _links(subject: Subject) -> Iterator[Finding]:
    pods = {host.super_pod for host, _, _ in subject.npus if subject.is_used(host.name, None)}
    in_one_pod = len(pods) == 1 and None not in pods  # where HCCS joins the hosts
    for host, device, npu in subject.npus:
        port = npu.port
        if port is None:
            continue
        if port.link is False:
            yield Finding(
                Severity.WARN if in_one_pod else subject.of_gang(Severity.REFUSE),
                Check.NETWORK,
                "the link is down",
                "UP: the hosts' devices meet over it" + ", unless HCCS of the super pod joins them" * in_one_pod,
                "hccn_tool -i {device} -link_stat -g; hccn_tool -i {device} -optical -g; then cable and switch",
                host.name,
                device.id,
            )
        elif port.health is not None and port.health.strip().lower() != _HEALTHY:
            yield Finding(
                Severity.WARN,
                Check.NETWORK,
                f"net health status is {port.health}",
                "Success: the device reaches its netdetect address",
                "hccn_tool -i {device} -netdetect -g; hccn_tool -i {device} -gateway -g; and see that they answer",
                host.name,
                device.id,
            )


def _tls(subject: Subject) -> Iterator[Finding]:
    told = [(host, device, npu.port.tls) for host, device, npu in subject.npus if npu.port and npu.port.tls is not None]
    states = Counter(tls for host, device, tls in told if subject.is_used(host.name, device.id))
    if len({tls for _, _, tls in told}) < 2 or not states:
        return
    wanted = max(states, key=lambda tls: (states[tls], not tls))  # of as many, off: it needs no certificates
    for host, device, tls in told:
        if tls is not wanted:
            yield Finding(
                subject.of_gang(Severity.REFUSE),
                Check.NETWORK,
                f"TLS is {_switch(tls)}",
                f"{_switch(wanted)}, as on {states[wanted]} of {states.total()} devices: HCCL cannot mix them (EI0016)",
                "hccn_tool -i {device} -tls -s enable " + str(int(wanted)),
                host.name,
                device.id,
                "HCCL user guide, fault diagnosis",
            )


def _subnets(subject: Subject) -> Iterator[Finding]:
    """Devices of one id that are in several subnets: HCCL joins those of the same id, and wants them to be in one."""
    seen: dict[int, list[tuple[str, str]]] = {}
    for host, device, npu in subject.npus:
        network = None if npu.port is None else _network(npu.port)
        if network is not None:
            seen.setdefault(device.id, []).append((host.name, network))
    for number, places in seen.items():
        counts = Counter(network for _, network in places)
        if len(counts) < 2:
            continue
        usual, times = counts.most_common(1)[0]
        for name, network in places:
            if network != usual:
                yield Finding(
                    Severity.WARN,
                    Check.NETWORK,
                    f"the device is in the subnet {network}",
                    f"{usual}, as device {number} of {times} of {len(places)} hosts, or a router between them",
                    "hccn_tool -i {device} -gateway -g; hccn_tool -i {device} -ping -g address OTHER",
                    name,
                    number,
                    _TABLE,
                )


def _network(port: Port) -> str | None:
    if port.ip is None or port.netmask is None:
        return None
    try:
        return str(ipaddress.ip_network(f"{port.ip}/{port.netmask}", strict=False))
    except ValueError:
        return None


def _is_same(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return one == other


def _switch(tls: bool) -> str:
    return "on" if tls else "off"
