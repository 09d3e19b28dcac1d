"""A run keeps its cluster in a file that reads back as the same cluster."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings

from launcher.specs import Cluster, Host, dump_yaml, load_cluster
from tests.specs.cluster_strategies import clusters, rows


@settings(max_examples=150, deadline=None)
@given(clusters() | rows())
def test_a_dumped_cluster_reads_back_equal_and_dumps_the_same(cluster: Cluster) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "c.yaml"
        file.write_text(dump_yaml(cluster), encoding="utf-8", newline="")
        read = load_cluster(file)
    assert read == cluster
    assert dump_yaml(read) == dump_yaml(cluster)


@settings(max_examples=60, deadline=None)
@given(clusters())
def test_a_host_has_what_the_cluster_says_unless_it_says_otherwise(cluster: Cluster) -> None:
    for host in cluster.hosts:
        assert host.cann or cluster.cann is None
        assert host.ssh is not None or cluster.ssh is None
        if host.ssh is not None and cluster.ssh is not None:
            assert host.ssh.user or cluster.ssh.user is None
    assert [host.spare for host in cluster.hosts] == sorted(host.spare for host in cluster.hosts)


def test_hosts_that_count_upwards_are_one_pattern() -> None:
    cluster = load_cluster(Path(__file__).parents[2] / "clusters/atlas800t_a2_64.yaml")
    hosts = [line.strip() for line in dump_yaml(cluster).splitlines() if line.startswith("  - ")]
    names = [line.split('"')[1] if '"' in line[:12] else line.split(",")[0].split()[-1] for line in hosts]
    assert names == ["node[001-012]", "node[014-026]", "node027", "node[028-060]", "node[061-064]"]
    assert 'address: "10.0.0.[11-22]", devices: 8, device_ips: ["192.168.1.[11-22]", ' in hosts[0]
    assert hosts[-1].endswith("spare: true}") or ", spare: true, " in hosts[-1]


def test_digits_grow_only_where_none_is_padded() -> None:
    hosts = tuple(Host(name=f"n{number:02}", address=f"10.0.0.{number}", devices=1) for number in range(98, 102))
    lines = dump_yaml(Cluster(name="x", soc="CPU", hosts=hosts))
    assert '"n[98-101]"' in lines
    hosts = tuple(Host(name=f"n{number:02}", address=f"10.0.0.{number}", devices=1) for number in (8, 9, 99, 100))
    assert '"n[08-09]"' in dump_yaml(Cluster(name="x", soc="CPU", hosts=hosts))


def test_hosts_count_in_any_one_number() -> None:
    def lines(*names: str) -> str:
        return dump_yaml(Cluster(name="x", soc="CPU", hosts=tuple(Host(name=n, address=n, devices=1) for n in names)))

    assert '{name: "10.0.[0-2].1", devices: 1}' in lines("10.0.0.1", "10.0.1.1", "10.0.2.1")
    assert '{name: "n[1-3]-ib0", devices: 1}' in lines("n1-ib0", "n2-ib0", "n3-ib0")
    both = lines("a1b1", "a2b1", "a2b2", "a3b3")
    assert [line.split('"')[1] if '"' in line else line for line in both.splitlines()[3:]] == [
        "a[1-2]b1",
        "  - {name: a2b2, devices: 1}",
        "  - {name: a3b3, devices: 1}",
    ]
