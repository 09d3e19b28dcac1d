"""A run keeps its cluster in a file that reads back as the same cluster."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings

from launcher.specs import Cluster, dump_yaml, load_cluster
from tests.specs.cluster_strategies import clusters


@settings(max_examples=60, deadline=None)
@given(clusters())
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
