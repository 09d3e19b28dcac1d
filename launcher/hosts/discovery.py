"""From what hosts report to a cluster spec, with everything that a reader of it should know; purely."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from launcher.errors import InfrastructureError, NpuLaunchError, PreflightError
from launcher.hosts.report import Health, HostReport, Npu, Unread
from launcher.specs import Cluster, Device, Host
from launcher.specs.fields import check_host_name

LOOPBACK = "127.0.0.1"  # under which this machine is asked
_QUOTED = 300  # characters of a text that was not understood
DeviceKey = tuple[str, int]  # host name, device id


@dataclass
class Remarks:
    """What is to be said beside the spec: of the whole, of a host, of a device; `loud` are those that need a person."""

    general: list[str] = field(default_factory=list)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    devices: dict[DeviceKey, list[str]] = field(default_factory=dict)
    loud: list[str] = field(default_factory=list)

    def of_host(self, host: str, remark: str, *, loud: bool = False) -> None:
        self.hosts.setdefault(host, []).append(remark)
        if loud:
            self.loud.append(f"{host}: {remark}")

    def of_device(self, host: str, device: int, remark: str, *, loud: bool = True) -> None:
        self.devices.setdefault((host, device), []).append(remark)
        if loud:
            self.loud.append(f"{host} device {device}: {remark}")


@dataclass(frozen=True)
class Discovery:
    """A cluster that loads, the remarks to it, and the hosts that are not in it."""

    cluster: Cluster
    remarks: Remarks
    failed: Mapping[str, NpuLaunchError]
    without_npus: tuple[str, ...]


def discover(name: str, asked: Sequence[Host], answers: Mapping[str, HostReport | NpuLaunchError]) -> Discovery:
    """The cluster of the hosts that were asked, as far as they answered and have NPUs.

    A host keeps the name and address under which it was asked; one asked for by an address alone takes its own name,
    and this machine its own name and address. Raises PreflightError when there is no NPU at all, when chips differ or
    cannot be told, and InfrastructureError when there is no host with NPUs and some did not answer.
    """
    failed = {host: answer for host, answer in answers.items() if isinstance(answer, NpuLaunchError)}
    reports = [(host, report) for host in asked if isinstance(report := answers[host.name], HostReport)]
    present = [(host, report) for host, report in reports if report.npus or report.device_nodes]
    without = tuple(host.name for host, report in reports if not report.npus and not report.device_nodes)
    if failed and not present:
        raise _no_host(failed)
    if not present:
        raise PreflightError(
            f"no NPU: neither /dev/davinciN nor a chip in npu-smi info on {_few(without)}",
            expected="a host with Ascend NPUs that this user, or this container, may see",
            remedy="name the hosts (npu-launch discover HOST...), or pass /dev/davinciN into the container",
        )
    remarks = Remarks()
    soc, names = _soc(present), _names(present)
    for host, report in present:
        if report.soc is None:
            remarks.of_host(names[host.name], f"its chip could not be told, and is taken to be {soc}", loud=True)
    addresses = _Addresses()
    hosts = tuple(_host(host, names[host.name], report, addresses, remarks) for host, report in present)
    for host, report in present:
        for unread in report.unread:
            remarks.of_host(names[host.name], f"could not be told: {unread.source}: {unread.reason}")
            remarks.loud.append(f"{names[host.name]}: could not be told: {_told(unread)}")
    for host_name in without:
        remarks.general.append(f"{host_name} has no NPUs, and is not in here.")
    for host_name, error in failed.items():
        remarks.general.append(f"{host_name} is not in here: {error.what}")
    _remark_differences(present, names, remarks)
    try:
        cluster = Cluster(name=name, soc=soc, hosts=hosts)
    except ValidationError as error:
        raise PreflightError(
            f"what the hosts report makes no sound cluster: {error.errors()[0]['msg']}",
            where=".".join(map(str, error.errors()[0]["loc"])),
        ) from None
    return Discovery(_shared_cann(cluster), remarks, failed, without)


def _no_host(failed: Mapping[str, NpuLaunchError]) -> NpuLaunchError:
    """Why nothing is known: of several hosts, what some of them said."""
    first = next(iter(failed.values()))
    if len(failed) == 1:
        return first
    said = "; ".join(f"{host}: {error.what}" for host, error in list(failed.items())[:4])
    more = f"; and {len(failed) - 4} more" if len(failed) > 4 else ""
    return InfrastructureError(
        f"{len(failed)} hosts did not answer: {said}{more}", expected=first.expected, remedy=first.remedy
    )


def _soc(present: Sequence[tuple[Host, HostReport]]) -> str:
    """The one chip of all hosts; a host that does not tell has that of the others."""
    told: dict[str, list[str]] = {}
    for host, report in present:
        chips = {npu.name for npu in report.npus}
        for soc in [report.soc] if report.soc is not None else sorted(chips) if len(chips) > 1 else []:
            told.setdefault(soc, []).append(host.name)
    if len(told) == 1:
        return next(iter(told))
    if told:
        raise PreflightError(
            f"the hosts have different chips: {'; '.join(f'{soc} on {_few(hosts)}' for soc, hosts in told.items())}",
            expected="one chip in a cluster",
            remedy="discover the hosts of each chip by themselves",
        )
    host, report = present[0]
    said = "; ".join(_told(unread) for unread in report.unread if unread.source.startswith("npu-smi"))
    raise PreflightError(
        f"{len(report.device_nodes or report.npus)} NPUs are on {host.name}, but their chip cannot be told"
        f"{f': {said}' if said else ''}",
        expected="one chip name for all NPUs, as npu-smi info -m has it",
        remedy="write soc and hosts into a cluster spec by hand",
    )


def _told(unread: Unread) -> str:
    """What was not understood, in one line with its text."""
    text = " ".join(unread.text.split())[:_QUOTED]
    return f"{unread.source}: {unread.reason}{f': {text}' if text else ''}"


def _names(present: Sequence[tuple[Host, HostReport]]) -> dict[str, str]:
    """The names in the spec, by those the hosts were asked under: its own, when an address was all that was known."""
    own = Counter(report.name.casefold() for _, report in present)
    taken = {host.name.casefold() for host, _ in present}
    names = {}
    for host, report in present:
        is_free = own[report.name.casefold()] == 1 and report.name.casefold() not in taken - {host.name.casefold()}
        is_nameless = _is_ip(host.name) or ":" in host.address or host.address == LOOPBACK  # IPv6 can be no name
        names[host.name] = report.name if is_nameless and is_free and _is_host_name(report.name) else host.name
    return names


class _Addresses:
    """The devices' addresses so far: no two are the same, and all are of one family, or HCCL takes none of them."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._family: int | None = None

    def refusal(self, ip: str, owner: str) -> str | None:
        """Why an address cannot stand in the spec; None for one that can."""
        known = ipaddress.ip_address(ip)
        if self._family not in (None, known.version):
            return f"{ip} is IPv{known.version}, and others are IPv{self._family}: HCCL wants one family"
        first = self._owners.setdefault(str(known), owner)
        if first != owner:
            return f"{ip} is the address of {first}, too"
        self._family = known.version
        return None


def _host(asked: Host, name: str, report: HostReport, addresses: _Addresses, remarks: Remarks) -> Host:
    versions = [f"{key} {report.packages[key].version}" for key in report.packages if key != "python"]
    remarks.of_host(name, ", ".join([*versions, report.architecture]))
    npus = {npu.id: npu for npu in report.npus}
    ids = sorted(set(npus) & set(report.device_nodes)) or sorted(report.device_nodes or npus)
    for number in sorted(set(npus) - set(ids)):
        remarks.of_host(name, f"npu-smi knows NPU {number}, but there is no /dev/davinci{number}", loud=True)
    if not report.device_nodes:
        remarks.of_host(name, "there is no /dev/davinciN: no process can use the NPUs that npu-smi knows", loud=True)
    for number in sorted(set(report.device_nodes) - set(ids)):
        remarks.of_host(name, f"/dev/davinci{number} is here, but npu-smi does not know it", loud=True)
    for number in report.closed_nodes:
        remarks.of_host(name, f"the user may not open /dev/davinci{number}", loud=True)
    devices = tuple(_device(name, number, npus.get(number), report, addresses, remarks) for number in ids)
    pods = {npu.super_pod_id for number, npu in npus.items() if number in ids}
    pod = pods.pop() if len(pods) == 1 else None
    if len(pods) > 1:
        remarks.of_host(
            name, f"its NPUs say different super pods: {', '.join(map(str, sorted(pods, key=str)))}", loud=True
        )
    address = _address(asked, name, report, remarks)
    values = {"name": name, "address": address, "devices": devices, "super_pod": pod, "cann": _cann(report)}
    return asked.model_copy(update=values)


def _address(asked: Host, name: str, report: HostReport, remarks: Remarks) -> str:
    """Under which others reach the host; this machine was asked under an address that is of use to itself alone."""
    if asked.address != LOOPBACK or not report.addresses:
        return asked.address
    if len(report.addresses) > 1:
        said = (
            f"its addresses are {', '.join(report.addresses)}: other hosts have to reach it under {report.addresses[0]}"
        )
        remarks.of_host(name, said, loud=True)
    return report.addresses[0]


def _device(
    host: str, number: int, npu: Npu | None, report: HostReport, addresses: _Addresses, remarks: Remarks
) -> Device:
    """A device with its address: the one that hccn_tool reports, else the one in hccn.conf."""
    port = npu.port if npu is not None else report.unlisted_ports.get(number)
    live = port.ip if port is not None else None
    written = report.hccn_conf.get(number)
    ip = live or written
    if live and written and ipaddress.ip_address(live) != ipaddress.ip_address(written):
        remarks.of_device(host, number, f"hccn_tool says {live}, /etc/hccn.conf {written}: hccn_tool counts")
    elif ip and not live:
        remarks.of_device(host, number, f"{ip} is of /etc/hccn.conf alone: hccn_tool does not say it")
    elif not ip and (port is None or f"hccn_tool -i {number} -ip -g" in {unread.source for unread in report.unread}):
        remarks.of_device(host, number, "its address could not be told")
    elif not ip:
        remarks.of_device(host, number, f"no address: hccn_tool -i {number} -ip -s address IP netmask MASK")
    refusal = addresses.refusal(ip, f"{host} device {number}") if ip else None
    if refusal:
        remarks.of_device(host, number, refusal)
    if npu is not None and npu.health is not Health.OK:
        codes = " ".join(npu.error_codes)
        remarks.of_device(host, number, f"health {npu.health.value}{f': {codes}' if codes else ''}")
    if port is not None and port.link is False:
        remarks.of_device(host, number, "link down")
    sdid = npu.super_device_id if npu is not None else None
    return Device(id=number, ip=None if refusal else ip, super_device_id=sdid)


def _cann(report: HostReport) -> str | None:
    """CANN's folder: the one that its version file lies in, without the folder of the architecture."""
    package = report.packages.get("cann")
    if package is None:
        return None
    folder = package.source.rpartition("/")[0]
    last = folder.rpartition("/")[2]
    return folder.rpartition("/")[0] if last == "compiler" or last.endswith("-linux") else folder


def _shared_cann(cluster: Cluster) -> Cluster:
    """CANN's folder said once, where it is the same on all hosts."""
    folders = {host.cann for host in cluster.hosts}
    return cluster.model_copy(update={"cann": folders.pop()}) if len(folders) == 1 else cluster


def _remark_differences(present: Sequence[tuple[Host, HostReport]], names: Mapping[str, str], remarks: Remarks) -> None:
    """Say of which parts the hosts have different versions: what HCCL wants to be the same."""
    for key in ("driver", "firmware", "cann"):
        found: dict[str, list[str]] = {}
        for host, report in present:
            package = report.packages.get(key)
            found.setdefault(package.version if package else "none", []).append(names[host.name])
        if len(found) > 1:
            said = "; ".join(f"{version} on {_few(hosts)}" for version, hosts in found.items())
            remarks.general.append(f"{key} differs: {said}")
            remarks.loud.append(f"{key} differs: {said}")


def _few(names: Sequence[str]) -> str:
    """Some names of a long list."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_host_name(text: str) -> bool:
    try:
        check_host_name(text)
    except Exception:  # pydantic's own error has no base but Exception's
        return False
    return True
