"""A host's evidence, however odd its parts, becomes a report, and reports a spec that loads, or an error."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.errors import PreflightError
from launcher.hosts.discovery import discover
from launcher.hosts.discovery_text import write_discovery
from launcher.hosts.reading.evidence import read_evidence
from launcher.hosts.report import Clock, HostReport
from launcher.specs import Host, document
from launcher.specs.load import cluster_from_mapping
from tests.hosts.reading.samples import sample
from tests.hosts.reading.test_mutations import MUTATIONS, POSITION

HOST = Host(name="node-a", address="10.0.0.1", devices=1)


def said(command: str, text: str, code: int | None = 0) -> dict[str, Any]:
    return {"argv": command.split(), "code": code, "text": text, "problem": "" if code is not None else "late"}


def evidence(**changes: Any) -> dict[str, Any]:
    """What the probe gathers on a host with two NPUs of 910B3."""
    ports = [(f"hccn_tool -i {number} -{what} -g", f"hccn_tool/{file}.txt")
             for number in (0, 1) for what, file in (("ip", "ip"), ("link", "link_up"), ("tls", "tls"))]  # fmt: skip
    tools = [("npu-smi info", "npu_smi/info_910B3_23.0.7.txt"), ("npu-smi info -m", "npu_smi/mapping_910B3.txt")]
    return {
        "begun": 100.0,
        "ended": 101.0,
        "architecture": "aarch64",
        "nodes": {"/dev/davinci0": True, "/dev/davinci1": False},
        "tools": [said(command, sample(file)) for command, file in [*tools, *ports]],
        "texts": {
            "/etc/hccn.conf": {"text": sample("ascend_files/hccn.conf")},
            "/usr/local/Ascend/driver/version.info": {"text": sample("ascend_files/driver_version.info")},
            "/usr/local/Ascend/firmware/version.info": {"missing": False, "problem": "Permission denied"},
            "/etc/ascend_install.info": {"missing": True, "problem": "No such file or directory"},
        },
        "holders": {"found": [[77, "python3", "/dev/davinci0"]], "complete": False},
        "listening": [],
        "interfaces": {"eth0": ["10.0.0.1"], "ib0": []},
        "paths": {"/data": {"kind": "folder"}, "/nfs": {"problem": "no answer in time"}},
        "filesystems": {"/dev/shm": {"problem": "no answer in time"}},
        "python": {"problem": "No such file or directory"},
        **changes,
    }


def test_what_could_not_be_read_is_named_and_what_is_not_there_is_not() -> None:
    report = read_evidence("node-a", evidence(), 99.5, 101.5)
    assert {unread.source for unread in report.unread} == {
        "/usr/local/Ascend/firmware/version.info",
        "/proc/*/fd",
        "/nfs",
        "/dev/shm",
        "python",
    }
    assert (report.device_nodes, report.closed_nodes) == ((0, 1), (1,))
    assert [process.pid for process in report.npus[0].processes] == [77]
    assert report.clock == Clock(100.5, 101.0, 101.5)
    assert report.interfaces == {"eth0": ("10.0.0.1",), "ib0": ()}


def test_parts_that_are_missing_are_named() -> None:
    report = read_evidence("node-a", {"begun": 1.0, "ended": 1.0, "architecture": "x86_64"}, 1.0, 1.0)
    assert {"npu-smi, hccn_tool", "files", "python", "paths"} <= {unread.source for unread in report.unread}


def test_a_tool_that_failed_is_quoted() -> None:
    lost = "npu-smi: error while loading shared libraries: libdrvdsmi_host.so: cannot open shared object file"
    tools = [said("npu-smi info", lost, 127), said("npu-smi info -m", "half", None)]
    report = read_evidence("node-a", evidence(tools=tools), 1.0, 1.0)
    sources = {unread.source: unread for unread in report.unread}
    assert "libdrvdsmi_host.so" in sources["npu-smi info"].text
    assert sources["npu-smi info -m"].reason == "late"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(MUTATIONS), POSITION), max_size=6),
    st.tuples(st.sampled_from(MUTATIONS), POSITION),
)
def test_odd_hosts_become_a_spec_that_loads_or_a_refusal(mutations: list[Any], of_file: Any) -> None:
    gathered = evidence()
    for number, mutate, at in mutations:
        gathered["tools"][number]["text"] = mutate(gathered["tools"][number]["text"], at)
    mutate, at = of_file
    for file in gathered["texts"].values():
        if "text" in file:
            file["text"] = mutate(file["text"], at)
    report = read_evidence("node-a", gathered, 99.0, 102.0)
    assert isinstance(report, HostReport)
    try:
        found = discover("odd", [HOST], {"node-a": report})
    except PreflightError:
        return
    read = document.parse(write_discovery(found), "odd.yaml")
    assert cluster_from_mapping(read.root) == found.cluster
