"""Whatever hosts report, a verdict comes of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.hosts.preflight.checks import inspect
from launcher.hosts.preflight.grouping import grouped
from launcher.hosts.preflight.wording import block, host_line, in_one_line
from launcher.hosts.report import (
    Clock,
    Filesystem,
    Health,
    HostReport,
    Npu,
    NpuProcess,
    Package,
    PathKind,
    Port,
    Unread,
)
from launcher.specs import Framework
from tests.hosts.preflight.reports import cluster, recipe

TEXTS = st.text(max_size=20) | st.sampled_from(["8.0.RC3", "24.1.0", "2.1.0.post8", "192.168.0.8", "255.255.255.0"])
COUNTS = st.integers(0, 10**12)
SMALL = st.integers(0, 3)
TIMES = st.floats(-1e9, 1e9, allow_nan=False)
MAYBE = st.none() | TEXTS
PORTS = st.builds(Port, MAYBE, MAYBE, st.none() | st.booleans(), MAYBE, st.none() | st.booleans())
PROCESSES = st.builds(NpuProcess, COUNTS, TEXTS, st.none() | COUNTS)
NPUS = st.builds(
    Npu,
    id=SMALL,
    card=SMALL,
    chip=SMALL,
    name=TEXTS,
    health=st.sampled_from(Health),
    error_codes=st.lists(TEXTS, max_size=2).map(tuple),
    memory_used=st.none() | COUNTS,
    memory_total=st.none() | COUNTS,
    processes=st.lists(PROCESSES, max_size=2).map(tuple),
    port=st.none() | PORTS,
)
NAMES = st.sampled_from(
    ["driver", "firmware", "cann", "nnae", "python", "torch", "torch_npu", "mindspore", "tensorflow"]
)
REPORTS = st.builds(
    HostReport,
    host=st.just(""),
    name=TEXTS,
    architecture=TEXTS,
    clock=st.builds(Clock, TIMES, TIMES, TIMES),
    soc=MAYBE,
    npus=st.lists(NPUS, max_size=3).map(tuple),
    device_nodes=st.lists(SMALL, max_size=3).map(tuple),
    closed_nodes=st.lists(SMALL, max_size=3).map(tuple),
    hccn_conf=st.dictionaries(SMALL, TEXTS, max_size=2),
    packages=st.dictionaries(
        NAMES, st.builds(Package, TEXTS, TEXTS, st.lists(TEXTS, max_size=2).map(tuple)), max_size=5
    ),
    filesystems=st.lists(
        st.builds(Filesystem, st.sampled_from(["/tmp", "/dev/shm", "/runs"]), COUNTS, COUNTS, st.none() | COUNTS),
        max_size=2,
    ).map(tuple),
    limits=st.dictionaries(st.sampled_from(["nofile", "nproc", "memlock", "stack"]), st.none() | COUNTS),
    listening=st.lists(st.sampled_from([8118, 60000, 60031]), unique=True).map(tuple),
    reserved_ports=st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), max_size=2).map(tuple),
    paths=st.dictionaries(st.sampled_from(["/job/run.sh", "/data"]), st.sampled_from(PathKind)),
    unread=st.lists(st.builds(Unread, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
)
JOBS = st.none() | st.builds(
    recipe,
    st.sampled_from([1, 4]),
    framework=st.sampled_from(Framework),
    memory=st.none() | st.integers(1, 10**12),
    scheduler_port=st.none() | st.just(8118),
    data=st.just(("/data",)),
)


@given(st.lists(REPORTS, min_size=1, max_size=2), JOBS, st.sampled_from(["Ascend910B3", "Ascend910A", "CPU"]))
@settings(max_examples=60, deadline=None)
def test_any_report_gets_a_verdict_that_can_be_told(reports: list[HostReport], job: object, soc: str) -> None:
    hosts = cluster(2, 2, soc=soc)
    answers = {host.name: report for host, report in zip(hosts.hosts, reports, strict=False)}
    verdict = inspect(hosts, answers, job)  # type: ignore[arg-type]
    groups = grouped(verdict.findings, verdict.ranks)
    assert {(f.host, f.device) for f in verdict.findings} == {place for group in groups for place in group.places}
    assert all(finding.seen and (finding.host is None or finding.host in answers) for finding in verdict.findings)
    for group in groups:
        assert block(group)
        assert in_one_line(group)
    for host in hosts.hosts:
        assert host_line(host, answers.get(host.name))
