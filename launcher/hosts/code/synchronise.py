"""Brings the code to all hosts of a run: what is new of it travels, and nothing where all hosts see it already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.code.transport import Receiver, parcels
from launcher.hosts.code.tree import Tree, read_tree
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.reach import Reach
from launcher.runs.home import home
from launcher.specs import Host

Outcome = TypeVar("Outcome")

_HOSTS_AT_ONCE: Final = 32
_ROUNDS: Final = 3  # of asking what is missing: another command may take what has arrived


def synchronise(
    root: Path,
    hosts: Sequence[Host],
    reach: Callable[[Host], Reach],
    provided: Mapping[str, Provided],
    tell: Callable[[str], None],
) -> dict[str, str | NpuLaunchError]:
    """The folder that has the code of `root` on each host, by the host's name, or why there is none.

    It is `root` itself where every host has the same content there, as on a shared file system; else a snapshot
    `<home>/code/<digest>`, which later changes here do not reach. Raises SpecError for a tree that cannot travel.
    """
    tree = read_tree(root, tell, leave_out=(home().resolve(),))
    receivers = [Receiver(host, reach(host), provided[host.name]) for host in hosts]
    try:
        return _Delivery(tree, receivers, tell).deliver()
    finally:
        for receiver in receivers:
            receiver.reach.close()


class _Delivery:
    """One tree on its way; a host on which something failed takes no further part."""

    def __init__(self, tree: Tree, receivers: Sequence[Receiver], tell: Callable[[str], None]) -> None:
        self._tree, self._receivers, self._tell = tree, receivers, tell
        self._problems: dict[str, NpuLaunchError] = {}
        self._request = {**tree.manifest, "digest": tree.digest, "root": str(tree.root)}

    def deliver(self) -> dict[str, str | NpuLaunchError]:
        seen = self._everywhere(self._compare, self._receivers)
        if len(seen) == len(self._receivers) and all(answer["in_place"] for answer in seen.values()):
            return {receiver.host.name: str(self._tree.root) for receiver in self._receivers}
        in_use = sorted({digest for answer in seen.values() for digest in answer["used"]})
        missing = {name: answer["missing"] for name, answer in seen.items() if not answer["present"]}
        for _ in range(_ROUNDS):
            made = self._everywhere(partial(self._make, self._send(missing), in_use), self._chosen(missing))
            missing = {name: answer["missing"] for name, answer in made.items() if answer["missing"]}
        for name in missing:
            self._problems[name] = InfrastructureError(
                "what is brought there does not stay", where=f"host {name}", remedy="is something cleaning up there?"
            )
        return {each.host.name: self._problems.get(each.host.name) or self._folder(each) for each in self._receivers}

    def _compare(self, receiver: Receiver) -> dict[str, Any]:
        """What of the tree is on a host. Raises InfrastructureError for a link that leads nowhere there alone."""
        answer = receiver.ask("compare", **self._request)
        for link in self._tree.links:
            if link.target in answer["dangling"] and Path(link.target).exists():
                raise InfrastructureError(
                    f"the code has a link that leads nowhere there: {link.path} -> {link.target}",
                    where=f"host {receiver.host.name}",
                    expected=f"{link.target} on every host",
                    remedy="have it there, or name the link in .npulaunchignore",
                )
        return answer

    def _send(self, missing: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
        """Send what hosts lack, but for a last parcel for each host, which goes along with the request to make it.

        Those that lack the same get the same parcels, at the same time.
        """
        alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for name, wanted in missing.items():
            if wanted:
                alike[tuple(wanted)].append(name)
        sizes = {file.sha256: file.size for file in self._tree.files}
        last: dict[str, bytes] = {}
        for wanted, names in alike.items():
            size = sum(sizes[sha] for sha in wanted) / (1 << 20)
            self._tell(f"code: {len(wanted)} of {len(self._tree.files)} files, {size:,.1f} MiB, to {', '.join(names)}")
            waiting = b""
            for parcel in parcels(self._tree, wanted):
                if waiting:
                    self._everywhere(partial(Receiver.ask, do="take", parcel=waiting), self._chosen(names))
                waiting = parcel
            last |= dict.fromkeys(names, waiting)
        return last

    def _make(self, parcels: Mapping[str, bytes], in_use: Sequence[str], receiver: Receiver) -> dict[str, Any]:
        """Have the snapshot made on a host, or be told what is missing for it."""
        return receiver.ask("make", parcels.get(receiver.host.name, b""), keep=in_use, **self._request)

    def _everywhere(self, work: Callable[[Receiver], Outcome], receivers: Sequence[Receiver]) -> dict[str, Outcome]:
        """Do something on hosts at once; what came of it, by host, for those on which it did not fail."""
        if not receivers:
            return {}
        found = {}
        with ThreadPoolExecutor(min(len(receivers), _HOSTS_AT_ONCE), thread_name_prefix="code") as pool:
            begun = {receiver.host.name: pool.submit(work, receiver) for receiver in receivers}
            for name, future in begun.items():
                try:
                    found[name] = future.result()
                except NpuLaunchError as error:
                    self._problems[name] = error
        return found

    def _chosen(self, names: Iterable[str]) -> list[Receiver]:
        """The receivers with these names on which nothing has failed."""
        chosen = set(names) - self._problems.keys()
        return [receiver for receiver in self._receivers if receiver.host.name in chosen]

    def _folder(self, receiver: Receiver) -> str:
        return f"{receiver.provided.home}/code/{self._tree.digest}"
