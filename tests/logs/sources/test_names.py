"""What names of logs say, and how rotated ones follow each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.record import LogFile, Source
from launcher.logs.sources.names import Claims, named
from launcher.logs.sources.rotation import in_streams, part_of


@pytest.mark.parametrize(
    ("path", "source", "claims"),
    [
        ("debug/plog/plog-12_20230811021514633.log", Source.PLOG, Claims(pid=12)),
        ("run/device-3/device-12_20230811021514633.log", Source.DEVICE, Claims(device=3, pid=12)),
        ("slog/dev-os-3/device-2/device-2_20230811021514633.log", Source.DEVICE, Claims(device=2)),
        ("slog/dev-os-3/slogd", Source.DEVICE, Claims()),
        ("hisi_logs/device-1/20230811/bbox/os/os_info.txt", Source.DEVICE, Claims(device=1)),
        ("mindspore.log.77", Source.FRAMEWORK, Claims(pid=77)),
        (
            "rank_3/logs/mindspore.my-host.me.log.ERROR.20230101-120000.1234.zst",
            Source.FRAMEWORK,
            Claims(rank=3, host="my-host", pid=1234),
        ),
        ("10.0.0.1/rank_3/mindspore.h.me.log.INFO.20230101-120000.9", Source.FRAMEWORK, Claims("10.0.0.1", 3, pid=9)),
        ("session_latest/logs/worker-0123456789abcdef0123-01000000-4711.err", Source.STDOUT, Claims(pid=4711)),
        ("session_latest/logs/gcs_server.out", Source.SCHEDULER, Claims()),
        ("node-7/sysmonitor.log-20240101", Source.HOST, Claims(host="node-7")),
        ("job-worker-1/vmcore-dmesg.txt", Source.HOST, Claims(host="job-worker-1")),
        ("mindx-dl/noded/noded.log", Source.HOST, Claims()),
        ("worker_2/worker_2.log", Source.STDOUT, Claims(weak_rank=2)),
        ("resnet-master-0.log", Source.STDOUT, Claims(host="resnet-master-0")),
        ("node-2.log", Source.STDOUT, Claims(host="node-2")),
        ("node-a/rank-3.log", Source.STDOUT, Claims(host="node-a", rank=3)),
        ("npu-server-b/dmesg", Source.HOST, Claims(host="npu-server-b")),
        ("job-pod-1/nohup.out", Source.STDOUT, Claims(host="job-pod-1")),
        ("worker-0/rank-1.log", Source.STDOUT, Claims(host="worker-0", rank=1)),
        ("node_b.log", Source.STDOUT, Claims(host="node_b")),
        ("node-logs/rank-3.log", Source.STDOUT, Claims(rank=3)),
        ("whatever.bin", None, Claims()),
    ],
)
def test_names(path: str, source: Source | None, claims: Claims) -> None:
    assert (named(path).source, named(path).claims) == (source, claims)


@given(st.text())
def test_any_path_is_taken(path: str) -> None:
    assert named(path).part.log is not None


@pytest.mark.parametrize(
    "oldest_first",
    [
        ["messages-20231201", "messages-20240101", "messages"],
        ["worker_3.log.10.gz", "worker_3.log.9.gz", "worker_3.log.1", "worker_3.log"],
        ["dmesg.4.gz", "dmesg.0", "dmesg"],
        ["plog-1_20240521110000001.log", "plog-1_20240521110500001.log.zst", "plog-1_20240521120000001.log"],
        [
            "mindspore.h.u.log.INFO.20240101-235959.7",
            "mindspore.h.u.log.INFO.20240102-000001.7",
        ],
    ],
)
def test_parts_follow_each_other_from_the_oldest(oldest_first: list[str]) -> None:
    files = [(LogFile(Path(name), name, Source.HOST), named(name).part) for name in sorted(oldest_first)]
    found = in_streams(files)
    assert [(file.name, file.part) for file in found] == [(name, place) for place, name in enumerate(oldest_first)]
    assert len({file.stream for file in found}) == 1


def test_logs_of_other_folders_processes_and_levels_are_other_streams() -> None:
    names = [
        "a/plog-1_2.log",
        "b/plog-1_2.log",
        "a/plog-2_2.log",
        "mindspore.h.u.log.INFO.20240102-000001.7",
        "mindspore.h.u.log.ERROR.20240102-000001.7",
        "mindspore.h.u.log.INFO.20240102-000001.8",
    ]
    found = in_streams([(LogFile(Path(name), name, Source.PLOG), named(name).part) for name in names])
    assert len({file.stream for file in found}) == len(names)


@given(st.from_regex(r"[\w.-]{1,40}", fullmatch=True))
def test_a_cut_or_compressed_log_is_the_part_that_it_was_before(name: str) -> None:
    assert part_of(name) == part_of(part_of(name).log) or part_of(name).log != name
    assert {part_of(name + ending) for ending in (".cut", ".zst", ".gz", ".cut.zst")} == {part_of(name)}
