"""The logs that the folder of one of our runs holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from launcher.logs.record import LogFile, Source
from launcher.logs.sources import files_of_run, recognise
from launcher.runs.events import ProcessStarted, RunCreated
from launcher.runs.store import RunDirectory
from tests.logs.sources.trees import cann, mindspore, plog, write


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run of two ranks on two hosts, of which the second attempt failed and was gathered."""
    run = RunDirectory(tmp_path / "job-1a2b")
    run.path.mkdir()
    with run.writer() as record:
        record.append(
            [
                RunCreated(
                    time=1,
                    run=run.id,
                    name="job",
                    framework="mindspore",
                    target="Ascend",
                    world_size=2,
                    hosts=("a", "b"),
                )
            ]
        )
        for attempt in (1, 2):
            for rank, host in enumerate("ab"):
                process = {"attempt": attempt, "name": f"rank {rank}", "rank": rank, "slot": 4 + rank}
                record.append([ProcessStarted(time=2, host=host, pid=100 * attempt + rank, **process)])
            record.append([ProcessStarted(time=2, host="a", pid=100 * attempt + 9, attempt=attempt, name="scheduler")])
    write(
        run.path,
        {
            "run.json": "{}",
            "recipe.yaml": "name: job\n",
            "supervisor.log": "x\n",
            "hosts/a/shim.jsonl": "{}\n",
            "hosts/a/shim.log": "x\n",
            "hosts/a/shim.lock": "",
            "attempts/1/plan.json": "{}",
            "attempts/1/ranks/0/stdout.log": "x\n",
            "attempts/1/ranks/1/stdout.log": "x\n",
            "attempts/2/plan.json": "{}",
            "attempts/2/hccl.json": "{}",
            "attempts/2/stacks.txt": "x\n",
            "attempts/2/template.log": "x\n",
            "attempts/2/ranks/0/stdout.log": "x\n",
            "attempts/2/ranks/0/work/checkpoint.ckpt": "x",
            "attempts/2/ranks/0/work/rank_0/logs/mindspore.h.u.log.INFO.20240521-110000.200": mindspore(200),
            f"attempts/2/ranks/0/cann/debug/plog/{plog(200, '20240521110000001')}": cann(200, "x"),
            f"attempts/2/ranks/0/cann/debug/plog/{plog(200, '20240521110500001')}": cann(200, "x"),
            f"attempts/2/ranks/0/cann/run/plog/{plog(200)}": cann(200, "x"),
            "attempts/2/ranks/0/cann/debug/device-4/device-200_20240521110000001.log": cann(200, "x"),
            "attempts/2/ranks/1/stdout.log": "what was copied so far\n",
            "attempts/2/ranks/1/stdout.log.cut": "head, errors, tail\n",
            "attempts/2/ranks/1/cann/debug/plog/plog-201_1.log.99-5.partial": "x",
            "attempts/2/services/scheduler/stdout.log": "x\n",
            "attempts/2/hosts/b/dmesg.txt": "x\n",
            "attempts/2/hosts/b/npu-smi.txt": "x\n",
            "attempts/2/hosts/b/hccn_tool.txt": "x\n",
            "attempts/2/hosts/b/files/etc/hccn.conf": "x\n",
            "attempts/2/hosts/b/msnpureport/2024-05-21/slog/dev-os-3/run/event/event_20240521110000.log": "x\n",
            "attempts/2/hosts/b/msnpureport/2024-05-21/hisi_logs/device-5/history.log": "x\n",
            "attempts/2/asked/20240521/hosts/a/dmesg.txt": "x\n",
            "attempts/2/gathered.json": "{}",
        },
    )
    return run


def _known(files: list[LogFile]) -> set[tuple[object, ...]]:
    return {(f.name, f.source, f.attempt, f.host, f.rank, f.device, f.pid) for f in files}


_OF_THE_RUN = {
    ("events.jsonl", Source.LAUNCHER, None, None, None, None, None),
    ("supervisor.log", Source.LAUNCHER, None, None, None, None, None),
    ("hosts/a/shim.jsonl", Source.LAUNCHER, None, "a", None, None, None),
    ("hosts/a/shim.log", Source.LAUNCHER, None, "a", None, None, None),
}
_SECOND = "attempts/2"
_RANK = f"{_SECOND}/ranks/0"
_HOST = f"{_SECOND}/hosts/b"


def test_every_log_of_an_attempt_is_known_with_its_rank_device_host_and_process(run: RunDirectory) -> None:
    assert _known(files_of_run(run, 2)) == _OF_THE_RUN | {
        (f"{_SECOND}/stacks.txt", Source.LAUNCHER, 2, None, None, None, None),
        (f"{_SECOND}/template.log", Source.LAUNCHER, 2, None, None, None, None),
        (f"{_RANK}/stdout.log", Source.STDOUT, 2, "a", 0, 4, 200),
        (
            f"{_RANK}/work/rank_0/logs/mindspore.h.u.log.INFO.20240521-110000.200",
            Source.FRAMEWORK,
            *(2, "a", 0, 4, 200),
        ),
        (f"{_RANK}/cann/debug/plog/{plog(200, '20240521110000001')}", Source.PLOG, 2, "a", 0, 4, 200),
        (f"{_RANK}/cann/debug/plog/{plog(200, '20240521110500001')}", Source.PLOG, 2, "a", 0, 4, 200),
        (f"{_RANK}/cann/run/plog/{plog(200)}", Source.PLOG, 2, "a", 0, 4, 200),
        (f"{_RANK}/cann/debug/device-4/device-200_20240521110000001.log", Source.DEVICE, 2, "a", 0, 4, 200),
        (f"{_SECOND}/ranks/1/stdout.log.cut", Source.STDOUT, 2, "b", 1, 5, 201),
        (f"{_SECOND}/services/scheduler/stdout.log", Source.SCHEDULER, 2, "a", None, None, 209),
        (f"{_HOST}/dmesg.txt", Source.HOST, 2, "b", None, None, None),
        (f"{_HOST}/npu-smi.txt", Source.HOST, 2, "b", None, None, None),
        (f"{_HOST}/hccn_tool.txt", Source.HOST, 2, "b", None, None, None),
        (f"{_HOST}/files/etc/hccn.conf", Source.HOST, 2, "b", None, None, None),
        (
            f"{_HOST}/msnpureport/2024-05-21/slog/dev-os-3/run/event/event_20240521110000.log",
            Source.DEVICE,
            *(2, "b", None, None, None),
        ),
        (f"{_HOST}/msnpureport/2024-05-21/hisi_logs/device-5/history.log", Source.DEVICE, 2, "b", 1, 5, None),
        (f"{_SECOND}/asked/20240521/hosts/a/dmesg.txt", Source.HOST, 2, "a", None, None, None),
    }


def test_without_an_attempt_the_logs_of_all_of_them_are_there(run: RunDirectory) -> None:
    first = {f.rank for f in files_of_run(run, None) if f.attempt == 1}
    assert first == {0, 1}
    assert {f.attempt for f in files_of_run(run, 1)} == {None, 1}


def test_rotated_plogs_follow_each_other_in_one_stream(run: RunDirectory) -> None:
    parts = [f for f in files_of_run(run, 2) if f.stream == f"{_RANK}/cann/debug/plog/plog-200"]
    assert [(f.part, f.path.name) for f in parts] == [
        (0, plog(200, "20240521110000001")),
        (1, plog(200, "20240521110500001")),
    ]


def test_a_log_that_was_compressed_is_the_same_log_by_the_same_name(run: RunDirectory) -> None:
    before = files_of_run(run, 2)
    log = run.rank_log(2, 0)
    log.rename(log.with_name("stdout.log.zst"))
    assert files_of_run(run, 2) == before


def test_a_run_without_a_record_shows_its_logs_too(run: RunDirectory) -> None:
    run.layout.events.unlink()
    assert {(f.rank, f.host) for f in files_of_run(run, 1) if f.source is Source.STDOUT} == {(0, None), (1, None)}


def test_the_copy_of_a_record_on_a_second_host_counts_where_the_record_is_not(run: RunDirectory) -> None:
    write(run.path, {"mirror/events.jsonl": "{}\n"})
    assert "mirror/events.jsonl" not in {f.name for f in files_of_run(run, 2)}
    run.layout.events.unlink()
    assert "mirror/events.jsonl" in {f.name for f in files_of_run(run, 2)}


def test_a_run_that_is_not_there_has_no_logs(tmp_path: Path) -> None:
    assert files_of_run(RunDirectory(tmp_path / "nowhere"), None) == []


def test_the_copy_of_a_run_somewhere_else_is_recognised_as_one(run: RunDirectory, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "sent" / "it" / "job")
    write(tmp_path / "sent", {"rank-7.txt": "x\n"})
    found = recognise(tmp_path / "sent")
    own = {f.name.removeprefix("it/job/"): f for f in found.files if f.name.startswith("it/job/")}
    assert {name: (f.source, f.rank, f.host) for name, f in own.items()} == {
        f.name: (f.source, f.rank, f.host) for f in files_of_run(run, None)
    }
    assert all(f.stream.startswith("it/job/") for f in own.values())
    assert [(f.name, f.rank) for f in found.files if f.name not in {o.name for o in own.values()}] == [
        ("rank-7.txt", 7)
    ]
    assert {f.name for f in recognise(run.path).files} == {f.name for f in files_of_run(run, None)}
