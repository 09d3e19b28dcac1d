"""Whether each host has the network interfaces and addresses that cluster and recipe name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.specs import Framework, Host, Rendezvous
from launcher.specs.placeholders import used

_ADDRESS: Final = "HCCL_IF_IP"
_CARDS: Final = "HCCL_SOCKET_IFNAME"
_FAMILY: Final = "HCCL_SOCKET_FAMILY"
_OF_TORCH: Final = ("GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME")
_FOR_HCCL: Final = "HCCL user guide, {}"

Interfaces = Mapping[str, Sequence[str]]


def check_interfaces(subject: Subject) -> Iterator[Finding]:
    """Interfaces and addresses that a host does not have; where no interface was heard of, nothing is said."""
    for host, report in subject.reported:
        if report.interfaces:
            found = [*_address(subject, host, report.interfaces), *_settings(subject, report.interfaces)]
            yield from (finding.at(host.name) for finding in found)


def _address(subject: Subject, host: Host, there: Interfaces) -> Iterator[Finding]:
    """That of the cluster spec: a host may have another where addresses are translated on the way to it.

    MindSpore's scheduler listens at that address itself.
    """
    if subject.spans_hosts and not _has(there, host.address):
        is_needed = _has_scheduler(subject, host)
        yield Finding(
            Severity.REFUSE if is_needed else Severity.WARN,
            Check.NETWORK,
            f"the host itself does not have its address {host.address}",
            f"{'the address that the scheduler listens at' if is_needed else 'an address of it'}: {_listed(there)}",
            "write one of these, by which the other hosts reach it, as its address into the cluster spec",
        )


def _has_scheduler(subject: Subject, host: Host) -> bool:
    recipe = subject.recipe
    if recipe is None or recipe.framework is not Framework.MINDSPORE or recipe.rendezvous is Rendezvous.RANK_TABLE:
        return False
    return bool(subject.seats) and subject.seats[0].host.name == host.name


def _settings(subject: Subject, there: Interfaces) -> Iterator[Finding]:
    """Those of the recipe's `env`. HCCL takes the address and leaves the names aside where both are there."""
    recipe = subject.recipe
    if recipe is None:
        return
    env = {name: value for name, value in recipe.env.items() if not any(used(value))}
    if not subject.cluster.is_cpu and _ADDRESS in env:
        if not _has(there, env[_ADDRESS]):
            yield _missing(subject, _ADDRESS, env[_ADDRESS], "an address", there)
    elif not subject.cluster.is_cpu and _CARDS in env:
        v6 = env.get(_FAMILY) == "AF_INET6"
        fitting = {name: there[name] for name in there if chooser(env[_CARDS])(name)}
        if not any((":" in address) is v6 for addresses in fitting.values() for address in addresses):
            family = "IPv6" if v6 else "IPv4"
            yield _missing(subject, _CARDS, env[_CARDS], f"an interface with an {family} address", there)
    if recipe.framework is Framework.PYTORCH:
        for name in _OF_TORCH:
            for card in env.get(name, "").split(","):
                if card and not there.get(card):
                    yield _missing(subject, name, card, "an interface with an address", there)


def chooser(text: str) -> Callable[[str], bool]:
    """Which names of interfaces HCCL_SOCKET_IFNAME means: `eth` begins them, `=eth0` is one, `^` leaves these out."""
    excludes, rest = text.startswith("^"), text.removeprefix("^")
    is_exact, names = rest.startswith("="), tuple(filter(None, rest.removeprefix("=").split(",")))
    return lambda card: excludes != (card in names if is_exact else card.startswith(names))


def _missing(subject: Subject, name: str, value: str, what: str, there: Interfaces) -> Finding:
    return Finding(
        subject.of_gang(Severity.REFUSE),
        Check.NETWORK,
        f"{name} is {value}, and the host has no such {what.split()[1]}",
        f"{what} of this host: {_listed(there)}",
        f"change {name} in env, or leave it out",
        source=_FOR_HCCL.format(name) if name.startswith("HCCL") else "PyTorch docs, torch.distributed",
    )


def _has(there: Interfaces, address: str) -> bool:
    """Whether the host has the address; of a name nothing is known here."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return True
    return wanted.is_loopback or any(wanted == ipaddress.ip_address(own) for owns in there.values() for own in owns)


def _listed(there: Interfaces) -> str:
    """`eth0 (10.0.0.1), lo`: those by which others could reach it, or all where there are none."""
    outward = {name: addresses for name, addresses in there.items() if name != "lo" and addresses} or there
    return ", ".join(f"{name} ({', '.join(own)})" if own else name for name, own in sorted(outward.items()))
