"""Hosts that a cluster calls by name or by IPv6 address, and hosts with several network interfaces."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from launcher.errors import ExitCode
from tests.fleet.site import JOB, Site, document
from tests.machines import Machine, Machines

pytestmark = pytest.mark.timeout(300)

CLUSTER = f"{JOB}/cluster.yaml"
PLAIN = "import os; print('rank', os.environ['RANK_ID'], 'on', os.uname().nodename, flush=True)"
GLOO = """
import os
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
total = torch.tensor([float(dist.get_rank())])
dist.all_reduce(total)
print(f"rank {dist.get_rank()} of {dist.get_world_size()}: sum {total.item():g} by {os.environ['GLOO_SOCKET_IFNAME']}")
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """Two hosts as Debian sets them up, whose own name is a loopback address, with an interface that leads nowhere."""
    with Machines("node-1", "node-2") as made:
        for host in made.servers:
            add_interface(host)
        yield made


def add_interface(host: Machine) -> None:
    path = host.path("/etc/hosts")
    path.write_text(f"127.0.1.1 {host.name}\n{path.read_text()}")
    for argv in (
        ("link", "add", "ens0", "type", "veth", "peer", "name", "far0"),
        ("addr", "add", "10.99.0.1/24", "dev", "ens0"),
        ("link", "set", "ens0", "up"),
    ):
        assert host.run("ip", *argv).returncode == 0


def site_by(machines: Machines, address: Callable[[Machine], str]) -> Site:
    hosts = [{"name": host.name, "address": address(host), "devices": 2} for host in machines.servers]
    site = Site(machines, [host.name for host in machines.servers])
    site.write("cluster.yaml", json.dumps({"name": "site", "soc": "CPU", "python": sys.executable, "hosts": hosts}))
    return site


def ran(site: Site, recipe: str) -> str:
    """The id of a run that has succeeded; its cluster is down again."""
    done = site.npu_launch("run", recipe, "-c", CLUSTER)
    assert done.code == ExitCode.OK, done.err + done.out
    run = str(document(site.npu_launch("status", "--json"))["run"])
    down = site.npu_launch("down", CLUSTER)
    assert down.code == ExitCode.OK, down.err
    return run


@pytest.mark.parametrize("address", [lambda host: host.name, lambda host: host.address6], ids=["name", "IPv6"])
def test_hosts_may_be_called_by_name_or_by_ipv6_address(machines: Machines, address: Callable[[Machine], str]) -> None:
    site = site_by(machines, address)
    run = ran(site, site.recipe(PLAIN))
    assert site.log("node-1", run, 0) == "rank 0 on node-1\n"
    assert site.log("node-1", run, 3) == site.log("node-2", run, 3) == "rank 3 on node-2\n"


def test_mindspore_on_cpu_with_ipv6_is_refused_before_anything_is_started(machines: Machines) -> None:
    site = site_by(machines, lambda host: host.address6)
    recipe = site.recipe(PLAIN, framework="mindspore")
    for command in ("plan", "run"):
        refused = site.npu_launch(command, recipe, "-c", CLUSTER)
        assert refused.code == ExitCode.USAGE, refused.err
        assert "MindSpore's scheduler needs an IP" in refused.err
    checked = site.npu_launch("check", recipe, "-c", CLUSTER)
    assert checked.code == ExitCode.PREFLIGHT_REFUSED
    assert "MindSpore's scheduler needs an IP" in checked.out
    assert not site.left_on(site.head)


def test_what_needs_an_ip_gets_that_of_a_host_that_is_called_by_name(machines: Machines) -> None:
    site = site_by(machines, lambda host: host.name)
    planned = site.npu_launch("plan", site.recipe(PLAIN, framework="mindspore"), "-c", CLUSTER, "-o", "json")
    assert planned.code == ExitCode.OK, planned.err
    assert {rank["env"]["MS_SCHED_HOST"] for rank in document(planned)["ranks"]} == {site.head.address}


def test_an_interface_that_a_host_does_not_have_is_refused_with_those_that_there_are(machines: Machines) -> None:
    site = site_by(machines, lambda host: host.address)
    assert machines["node-2"].run("ip", "link", "delete", "ens0").returncode == 0
    try:
        recipe = site.recipe(PLAIN, framework="pytorch", env={"GLOO_SOCKET_IFNAME": "ens0"})
        checked = site.npu_launch("check", recipe, "-c", CLUSTER)
    finally:
        add_interface(machines["node-2"])
    assert checked.code == ExitCode.PREFLIGHT_REFUSED, checked.out
    assert "node-2: GLOO_SOCKET_IFNAME is ens0, and the host has no such interface" in checked.out
    assert f"eth0 ({machines['node-2'].address}" in checked.out


@pytest.mark.parametrize("address", [lambda host: host.address, lambda host: host.address6], ids=["IPv4", "IPv6"])
def test_pytorch_ranks_on_two_hosts_add_up_over_the_interface_that_has_the_hosts_address(
    machines: Machines, address: Callable[[Machine], str], torch_python: str
) -> None:
    site = site_by(machines, address)
    run = ran(site, site.recipe(GLOO, framework="pytorch", python=torch_python))
    for rank in range(4):
        assert f"rank {rank} of 4: sum 6 by eth0" in site.log("node-1", run, rank)
