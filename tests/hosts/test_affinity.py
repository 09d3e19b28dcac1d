"""The processors near to devices, from what npu-smi answers."""

from __future__ import annotations

from launcher.hosts.affinity import near_cpus
from launcher.hosts.reach import Answer

TOPOLOGY = b"""\
\t   NPU0       NPU1       CPU Affinity
NPU0       X          HCCS       144-167
NPU1       HCCS       X          0-1,48
Legend:
"""


def test_each_device_has_the_processors_of_its_row() -> None:
    near, trouble = near_cpus("a", Answer(0, TOPOLOGY))
    assert near == (("a", 0, tuple(range(144, 168))), ("a", 1, (0, 1, 48)))
    assert trouble == ""


def test_a_host_without_the_query_is_no_trouble() -> None:
    assert near_cpus("a", Answer(None, problem="npu-smi: No such file or directory")) == ((), "")
    assert near_cpus("a", Answer(255, b"Error parameter of -t\n")) == ((), "")


def test_an_answer_that_is_not_understood_is_said_and_binds_nobody() -> None:
    for answer in (b"", b"\xff\x00", TOPOLOGY.replace(b"144-167", b"a lot")):
        near, trouble = near_cpus("a", Answer(0, answer))
        assert near == ()
        assert trouble.startswith("ranks on a are not bound to processors: npu-smi info -t topo: ")
