"""Claims devices and ports for a run that is about to start, and tells who has those that are taken."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from launcher.errors import PreflightError
from launcher.hosts.this_machine import is_this_machine
from launcher.planning.claims import device_claim, ports_claim
from launcher.planning.devices_needed import fewer
from launcher.runs.events import Slot
from launcher.specs import Cluster, Recipe
from launcher.supervise.capacity import usable_slots
from launcher.supervise.ports import choose_block
from launcher.supervise.shim.claims import is_claimed, make_folder, open_claim, read_holder, sign, try_claim

_FOLDER = "/tmp/npu-launch-claims"  # noqa: S108 - everybody's on purpose, and checked to be fit for it
_LINE = "line"
_LONGEST = 80  # characters of a name that anybody may have written


def claims_folder() -> str:
    """Where the claims of this machine lie: the same folder for all its users, whatever TMPDIR and HOME say."""
    return str(Path(os.environ.get("NPU_LAUNCH_CLAIMS") or _FOLDER).expanduser().absolute())


@dataclass(frozen=True)
class Holder:
    """Who has claimed something, in its own words; `run` is None while a run is only about to start."""

    run: str | None = None
    user: str = "somebody"
    pid: int | None = None
    since: float | None = None

    def __str__(self) -> str:
        known = [self.user]
        if self.pid is not None:
            known.append(f"pid {self.pid}")
        if self.since is not None:
            known.append(time.strftime("since %Y-%m-%d %H:%M", time.localtime(self.since)))
        return f"{f'run {self.run}' if self.run else 'a run that is starting'} ({', '.join(known)})"


@dataclass(frozen=True)
class Taken:
    """The devices of a host that runs other than one hold, and the blocks of ports that it cannot have there."""

    devices: Mapping[int, Holder]
    blocks: frozenset[int]


_NOTHING: Mapping[str, Taken] = MappingProxyType({})


class DevicesTaken(PreflightError):
    """Fewer devices are free than there are ranks; `holders` have the others."""

    def __init__(self, recipe: Recipe, total: int, holders: Mapping[Slot, Holder]) -> None:
        self.holders = holders
        of: dict[Holder, list[str]] = {}
        on_one_host = len({slot.host for slot in holders}) <= 1
        for slot, holder in holders.items():
            of.setdefault(holder, []).append(str(slot.device if on_one_host else slot))
        held = [f"device{'s' * (len(ids) > 1)} {', '.join(ids)}: {holder}" for holder, ids in of.items()]
        self.held = "; ".join(held)
        free = total - len(holders)
        own = [f"npu-launch stop {h.run}" for h in of if h.run is not None and h.user == _user(os.getuid())]
        super().__init__(
            f"{free} of {total} devices are free, but there {'are' if recipe.ranks > 1 else 'is'} {recipe.ranks} "
            f"rank{'s' * (recipe.ranks > 1)}" + "".join(f"\n  held      {who}" for who in held),
            expected="a free device for each rank",
            remedy=", or ".join(["--wait waits in line for devices", *own, *filter(None, [fewer(recipe, free)])]),
        )


@dataclass(frozen=True)
class Allotment:
    """What a run uses of its hosts: all slots but the unavailable ones, and the ports from `block` on."""

    unavailable: frozenset[Slot]
    block: int


class Claimed:
    """Devices and ports that are ours until `close`, or as long as a process lives that inherited the descriptors."""

    def __init__(self, slots: Set[Slot], descriptors: dict[str, int]) -> None:
        self._slots = slots
        self.descriptors = descriptors

    def allot(self, recipe: Recipe, cluster: Cluster, run: str) -> Allotment:
        """What the run uses: the devices claimed, in its name from now on, and a block of ports, which is claimed too.

        Raises InfrastructureError when there is none.
        """
        block = choose_block(recipe, run, on_npus=not cluster.is_cpu, can_have=self._claim_block)
        for descriptor in self.descriptors.values():
            sign(descriptor, run)
        return Allotment(frozenset() if cluster.is_cpu else _others(cluster, self._slots), block)

    def _claim_block(self, block: int) -> bool:
        path = ports_claim(claims_folder(), block)
        descriptor = try_claim(path)
        if descriptor is not None:
            self.descriptors[path] = descriptor
        return descriptor is not None

    def close(self) -> None:
        while self.descriptors:
            os.close(self.descriptors.popitem()[1])

    def __enter__(self) -> Claimed:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


def open_line() -> tuple[str, int]:
    """The file whose lock the first in line has: its path, and a descriptor. Raises PreflightError."""
    path = f"{claims_folder()}/{_LINE}"
    with _refusing_an_unfit_folder():
        return path, open_claim(path)


def claim_devices(recipe: Recipe, cluster: Cluster) -> Claimed:
    """Claim as many free devices of this machine as there are ranks; none on CPU, where processes share the cores.

    A cluster that is too small is the plan's to refuse. Raises DevicesTaken when others have too many of them, and
    PreflightError when the folder of claims is not fit.
    """
    with _refusing_an_unfit_folder():
        make_folder(claims_folder())
        return _claim_devices(recipe, cluster)


@contextmanager
def _refusing_an_unfit_folder() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PreflightError(
            f"cannot claim devices and ports: {error.strerror or error}",
            where=str(error.filename or claims_folder()),
            expected=f"{claims_folder()}, where every user may add files and remove only his own (mode 1777)",
            remedy="have its owner mend or remove it, or set NPU_LAUNCH_CLAIMS to a folder for all users here",
        ) from error


def _claim_devices(recipe: Recipe, cluster: Cluster) -> Claimed:
    slots = usable_slots(cluster, frozenset())
    if cluster.is_cpu or recipe.ranks > len(slots):
        return Claimed(frozenset(slots), {})
    taken = taken_slots(cluster)  # nothing is opened for writing when it cannot suffice: that would wake those who wait
    if len(slots) - len(taken) < recipe.ranks:
        raise DevicesTaken(recipe, len(slots), taken)
    got: dict[Slot, str] = {}
    claimed = Claimed(got.keys(), {})
    for slot in slots:
        path = _path(slot)
        descriptor = try_claim(path)
        if descriptor is None:
            taken[slot] = holder_of(path)
            continue
        sign(descriptor, None)
        got[slot] = path
        claimed.descriptors[path] = descriptor
        if len(got) == recipe.ranks:
            return claimed
    claimed.close()  # somebody was faster
    raise DevicesTaken(recipe, len(slots), taken)


def foresee(
    recipe: Recipe, cluster: Cluster, run: str, gone: Set[Slot], elsewhere: Mapping[str, Taken] = _NOTHING
) -> Allotment:
    """What this run could claim now, or has claimed already; changes nothing.

    `gone` are slots that it may not use, `elsewhere` is what other hosts say is taken there. Raises DevicesTaken when
    others have too many, InfrastructureError when there is no free port.
    """

    block = foresee_block(recipe, cluster, run, elsewhere)
    taken = taken_slots(cluster, run, elsewhere)
    usable = usable_slots(cluster, gone)
    if len(set(usable) - taken.keys()) < recipe.ranks <= len(usable):
        raise DevicesTaken(recipe, len(usable), {slot: taken[slot] for slot in usable if slot in taken})
    own = {slot for slot in usable if _is_own(slot, run)} if not cluster.is_cpu else set()
    if len(own) >= recipe.ranks:  # a run keeps its devices as long as they suffice
        return Allotment(frozenset(gone) | _others(cluster, own), block)
    return Allotment(frozenset(gone) | taken.keys(), block)


def foresee_block(recipe: Recipe, cluster: Cluster, run: str, elsewhere: Mapping[str, Taken] = _NOTHING) -> int:
    """The block of ports that this run could claim now, or has. Raises InfrastructureError when there is none."""

    def can_have(block: int) -> bool:
        if any(block in taken.blocks for taken in elsewhere.values()):
            return False
        path = ports_claim(claims_folder(), block)
        return not is_claimed(path) or holder_of(path).run == run

    return choose_block(recipe, run, on_npus=not cluster.is_cpu, can_have=can_have)


def without_taken(cluster: Cluster, run: str, elsewhere: Mapping[str, Taken] = _NOTHING) -> Cluster:
    """The cluster without the devices that other runs hold on this machine, or as hosts `elsewhere` say."""
    taken = taken_slots(cluster, run, elsewhere)
    if not taken:
        return cluster
    left = [
        host.model_copy(
            update={"devices": tuple(d for d in host.device_list if Slot(host=host.name, device=d.id) not in taken)}
        )
        for host in cluster.hosts
    ]
    return cluster.model_copy(update={"hosts": tuple(left)})


def taken_slots(
    cluster: Cluster, run: str | None = None, elsewhere: Mapping[str, Taken] = _NOTHING
) -> dict[Slot, Holder]:
    """The devices that runs other than this one hold, here or as hosts `elsewhere` say, and who holds them."""
    if cluster.is_cpu:
        return {}
    here = [host for host in cluster.hosts if is_this_machine(host.address)]
    slots = [Slot(host=host.name, device=device.id) for host in here for device in host.device_list]
    taken = {slot: holder_of(_path(slot)) for slot in slots if is_claimed(_path(slot))}
    taken = {slot: holder for slot, holder in taken.items() if run is None or holder.run != run}
    held = {host: found.devices for host, found in elsewhere.items()}
    there = [(host.name, device.id) for host in cluster.hosts for device in host.device_list if host.name in held]
    return taken | {Slot(host=host, device=id_): held[host][id_] for host, id_ in there if id_ in held[host]}


def _is_own(slot: Slot, run: str) -> bool:
    return is_claimed(_path(slot)) and holder_of(_path(slot)).run == run


def _others(cluster: Cluster, slots: Set[Slot]) -> frozenset[Slot]:
    return frozenset(usable_slots(cluster, slots))


def _path(slot: Slot) -> str:
    assert slot.device is not None
    return device_claim(claims_folder(), slot.device)


def holder_of(path: str) -> Holder:
    """Who wrote its name into a claimed file; whatever else stands there is left out."""
    found = read_holder(path)
    uid = _number(found.get("uid"))
    run = found.get("run")
    return Holder(
        run="".join(filter(str.isprintable, run))[:_LONGEST] if isinstance(run, str) else None,
        user="somebody" if uid is None else _user(uid),
        pid=_number(found.get("pid")),
        since=_number(found.get("since")),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 else None


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"uid {uid}"
