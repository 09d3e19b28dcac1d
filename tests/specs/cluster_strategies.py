"""Any cluster, and what anybody might write for one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from launcher.specs import Cluster, Container, ContainerRuntime, Device, Host, Level, LevelAddress, Ssh
from launcher.specs.device import AddressType

words = st.sampled_from(["a", "off", "1.10", "/opt/a b", "{x}", "训练", '"', "~", "a: b", "- a", "#"])
maybe = st.none() | words
ports = st.none() | st.integers(1, 65535)
ssh = st.none() | st.builds(Ssh, user=maybe, port=ports, key=maybe, jump=maybe, known_hosts=maybe, config=maybe)
containers = st.none() | st.builds(
    Container,
    image=words,
    runtime=st.sampled_from(ContainerRuntime),
    options=st.lists(words, max_size=2).map(tuple),
    mounts=st.lists(words, max_size=2).map(tuple),
    shm_size=st.none() | st.integers(1, 1 << 40),
)
levels = st.builds(
    Level,
    net_layer=st.integers(0, 7),
    net_instance_id=words,
    net_type=st.just("CLOS"),
    addresses=st.lists(
        st.builds(
            LevelAddress,
            type=st.sampled_from(AddressType),
            address=words,
            ports=st.lists(words, max_size=2).map(tuple),
            plane_id=words,
        ),
        max_size=2,
    ).map(tuple),
)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """A cluster made in Python, hosts and all."""
    hosts = []
    for number in draw(st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True)):
        devices: int | tuple[Device, ...] = draw(st.integers(1, 16))
        if draw(st.booleans()):
            ids = draw(st.lists(st.integers(0, 15), min_size=1, max_size=4, unique=True))
            has_ips = draw(st.booleans())
            devices = tuple(
                Device(
                    id=device,
                    ip=f"fd00::{number}:{device}" if has_ips else None,
                    super_device_id=f"{number}.{device}" if draw(st.booleans()) else None,
                    port=draw(ports),
                    levels=tuple(draw(st.lists(levels, max_size=1))),
                )
                for device in ids
            )
        hosts.append(
            Host(
                name=f"n{number}",
                address=f"10.0.0.{number}",
                devices=devices,
                server_id=draw(st.none() | st.just(f"m{number}")),
                super_pod=draw(maybe),
                spare=draw(st.booleans()),
                ssh=draw(ssh),
                cann=draw(maybe),
                python=draw(maybe),
                container=draw(containers),
            )
        )
    return Cluster(
        name=draw(words),
        server=draw(st.sampled_from([None, "atlas-800t-a3"])),
        soc="Ascend910_9391",
        hosts=tuple(hosts),
        ssh=draw(ssh),
        cann=draw(maybe),
        python=draw(maybe),
        container=draw(containers),
    )


@st.composite
def rows(draw: st.DrawFn) -> Cluster:
    """Neighbours that count upwards, across the borders of digits, and here and there a host that does not."""
    first, digits, net = draw(st.sampled_from([0, 1, 8, 98])), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    ids = draw(st.sampled_from([(0, 1), (1, 0), (4, 5)]))
    odd = draw(st.integers(0, 12))
    tail, network = draw(st.sampled_from([("", "10.0.{net}.{host}"), ("-ib0", "10.0.{host}.{net}")]))
    hosts = [
        Host(
            name=f"n{number:0{digits}}{tail}" if number != odd else f"odd{number}",
            address=network.format(net=net, host=number + draw(st.sampled_from([0, 0, 0, 100]))),
            devices=tuple(Device(id=device, ip=f"fd00:{device}::{number}") for device in ids)
            if draw(st.integers(0, 5)) < 5
            else 2,
            spare=draw(st.integers(0, 9)) == 9,
        )
        for number in range(first, first + draw(st.integers(1, 12)))
    ]
    return Cluster(name="rows", soc="Ascend910B3", hosts=tuple(hosts))


junk: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 8, 1.5, "", "a", "8", "n[3-1]", "训练", [], ["a"], [1], [None], {}, {"a": 1}]
)


def some(keys: dict[str, st.SearchStrategy[Any]], *required: str) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with these keys, of which only some are required."""
    optional = {key: values for key, values in keys.items() if key not in required}
    return st.fixed_dictionaries({key: keys[key] for key in required}, optional=optional)


@st.composite
def damaged(draw: st.DrawFn, sound: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A sound mapping, or one in which a single value is replaced, or a key is removed or added, however deep."""
    values = draw(sound)
    if draw(st.booleans()):
        return values
    owner: Any = values
    while True:
        keys = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
        if not keys or draw(st.integers(0, 9)) == 9:
            break
        key = draw(st.sampled_from(keys))
        if not isinstance(owner[key], dict | list) or draw(st.booleans()):
            if isinstance(owner, dict) and draw(st.integers(0, 3)) == 3:
                del owner[key]
            else:
                owner[key] = draw(junk)
            return values
        owner = owner[key]
    if isinstance(owner, dict):
        owner["nobody"] = draw(junk)
    else:
        owner.append(draw(junk))
    return values


devices = st.integers(1, 8) | st.just([{"id": 3}, {"id": 1, "port": 17000, "super_device_id": "7"}])
ssh_values = some({"user": words, "port": st.integers(1, 65535) | st.none(), "key": words})
container_values = some(
    {
        "image": words,
        "runtime": st.sampled_from(["ascend", "plain"]),
        "options": st.lists(words, max_size=2),
        "shm_size": st.sampled_from(["64 GB", "1.5g", 4096]),
    },
    "image",
)
parts = {"devices": devices, "ssh": ssh_values, "cann": words, "container": container_values, "super_pod": words}
one_host = some({"name": st.sampled_from(["h", "10.0.0.9"]), "spare": st.booleans(), **parts}, "name")
two_hosts = some(
    {
        "name": st.just("p[1-2]"),
        "address": st.sampled_from(["10.1.0.[1-2]", "fd00::[1-2]"]),
        "device_ips": st.sampled_from([["10.2.[1-8].[1-2]"], [f"10.2.{n}.[1-2]" for n in range(8)]]),
        "python": words,
    },
    "name",
)
cluster_values = damaged(
    some(
        {
            "name": st.just("lab"),
            "server": st.sampled_from(["atlas-800t-a2", "atlas-900-a2-pod"]),
            "soc": st.sampled_from(["Ascend910B3", "Ascend910B7"]),
            "hosts": st.tuples(st.sampled_from(["n[1-3]", "n1,n2,n3"]), one_host, two_hosts).map(list),
            "defaults": some({"devices": st.just(8), "python": words}),
            "spares": st.just(["n[1-2]"]),
            "exclude": st.just(["n3", {"host": "n1", "devices": [0]}]),
            "ssh": ssh_values,
            "container": container_values,
            "cann": words,
        },
        "name",
        "server",
        "hosts",
    )
)
