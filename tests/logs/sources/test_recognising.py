"""Folders of logs that came from elsewhere."""

from __future__ import annotations

import gzip
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.record import LogFile, Source
from launcher.logs.sources import Recognised, recognise
from tests.logs.sources.trees import agent, cann, mindspore, plog, torch, write


def _by_name(found: Recognised) -> dict[str, LogFile]:
    return {file.name: file for file in found.files}


def _ranks(found: Recognised) -> dict[str, int | None]:
    return {file.name: file.rank for file in found.files}


def test_a_plog_tree_without_any_rank_in_its_names_is_mapped_by_what_hccl_says(tmp_path: Path) -> None:
    for rank in range(4):
        pid = 1000 + rank
        write(
            tmp_path,
            {
                f"log/run/plog/{plog(pid)}": agent(pid, rank, 4, device=rank + 4),
                f"log/debug/plog/{plog(pid)}": cann(
                    pid, "wait socket establish timeout, role[1] rank[1] timeout[120 s]"
                ),
                f"log/debug/device-{rank + 4}/device-{pid}_20240521110001123.log": cann(
                    pid, "taskfail", module="AICPU"
                ),
            },
        )
    found = recognise(tmp_path)
    files = _by_name(found)
    assert {(f.rank, f.device, f.pid, f.host) for f in found.files} == {
        (rank, rank + 4, 1000 + rank, "10.20.8.250") for rank in range(4)
    }
    assert files[f"log/debug/plog/{plog(1002)}"].source is Source.PLOG
    assert files["log/debug/device-6/device-1002_20240521110001123.log"].source is Source.DEVICE
    assert found.unknown == () and found.notes == ()


def test_plogs_that_were_renamed_are_known_by_their_contents(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": agent(77, 1, 2) * 3, "b": agent(78, 0, 2) * 3})
    assert {(f.name, f.source, f.rank, f.pid) for f in recognise(tmp_path).files} == {
        ("a.txt", Source.PLOG, 1, 77),
        ("b", Source.PLOG, 0, 78),
    }


def test_a_plog_is_of_the_rank_whose_output_speaks_with_its_pid(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "rank-3.txt": "loading\n" + torch(927000, 3, 3),
            "rank-2.txt": mindspore(927001) + "Traceback (most recent call last):\n",
            f"process_log/debug/plog/{plog(927000)}": cann(927000, "halMemAlloc failed", module="DRV"),
            f"process_log/debug/plog/{plog(927001)}": cann(927001, "nothing"),
            f"process_log/debug/plog/{plog(927009)}": cann(927009, "nobody knows me"),
        },
    )
    assert _ranks(recognise(tmp_path)) == {
        "rank-3.txt": 3,
        "rank-2.txt": 2,
        f"process_log/debug/plog/{plog(927000)}": 3,
        f"process_log/debug/plog/{plog(927001)}": 2,
        f"process_log/debug/plog/{plog(927009)}": None,
    }


def test_the_pid_in_a_block_with_an_error_code_joins_too(tmp_path: Path) -> None:
    block = "EZ9999: Inner Error!\nEZ9999: [PID: 20025] 2024-05-21-09:29:51.880.292 aicore failed\n"
    write(tmp_path, {"rank-2.txt": block, f"plog/{plog(20025)}": cann(20025, "x")})
    assert set(_ranks(recognise(tmp_path)).values()) == {2}


def test_an_output_is_of_the_rank_that_the_plog_of_its_pid_says(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"train.log": torch(51, 0, -1), f"plog/{plog(51)}": agent(51, 6, 8), f"plog/{plog(52)}": agent(52, 7, 8)},
    )
    assert _ranks(recognise(tmp_path))["train.log"] == 6


def test_msrun(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "scheduler.log": mindspore(9, "Run] rank id: 0") + mindspore(9, "Run] rank id: 1"),
            "worker_0.log": mindspore(10),
            "worker_1.log": mindspore(11),
            "kernel_meta/te_add.json": "{}",
            f"rank_1/logs/mindspore.node-1.root.log.INFO.20240521-110000.{11}": mindspore(11),
        },
    )
    found = recognise(tmp_path)
    assert {(f.name, f.source, f.rank, f.pid) for f in found.files} == {
        ("scheduler.log", Source.SCHEDULER, None, None),
        ("worker_0.log", Source.STDOUT, 0, 10),
        ("worker_1.log", Source.STDOUT, 1, 11),
        ("rank_1/logs/mindspore.node-1.root.log.INFO.20240521-110000.11", Source.FRAMEWORK, 1, 11),
    }
    assert found.unknown == ("kernel_meta/te_add.json",)


def test_workers_that_are_numbered_anew_on_each_host_get_their_ranks_from_their_plogs(tmp_path: Path) -> None:
    for host in range(2):
        for local in range(2):
            pid, rank = 100 + local, 2 * host + local
            write(
                tmp_path / f"node-{host}",
                {
                    f"worker_{local}.log": mindspore(pid),
                    f"ascend/log/run/plog/{plog(pid)}": agent(pid, rank, 4, server=f"10.0.0.{host}"),
                },
            )
    found = recognise(tmp_path)
    assert {(f.host, f.rank) for f in found.files if f.source is Source.STDOUT} == {
        ("node-0", 0),
        ("node-0", 1),
        ("node-1", 2),
        ("node-1", 3),
    }
    assert found.notes == ()


def test_workers_that_are_numbered_anew_on_each_host_have_no_rank_where_nothing_else_tells(tmp_path: Path) -> None:
    write(tmp_path, {f"node-{host}/worker_0.log": mindspore(1) for host in range(2)})
    found = recognise(tmp_path)
    assert [file.rank for file in found.files] == [None, None]
    assert len(found.notes) == 1 and "rank 0" in found.notes[0]


def test_torchrun(tmp_path: Path) -> None:
    for attempt in range(2):
        for local in range(2):
            folder = f"none_ab12/attempt_{attempt}/{local}"
            write(
                tmp_path,
                {
                    f"{folder}/stderr.log": f"[rank{local}]: Traceback (most recent call last):\n",
                    f"{folder}/stdout.log": f"step 1 at attempt {attempt}\n",
                },
            )
    found = recognise(tmp_path)
    assert {(f.name, f.attempt, f.rank, f.source) for f in found.files} == {
        (f"none_ab12/attempt_{attempt}/{local}/{name}.log", attempt + 1, local, Source.STDOUT)
        for attempt in range(2)
        for local in range(2)
        for name in ("stderr", "stdout")
    }
    assert found.notes == ()


def test_torchrun_on_a_second_host_says_its_ranks_in_the_lines(tmp_path: Path) -> None:
    write(tmp_path, {"attempt_0/3/stderr.log": "[rank11]: RuntimeError: x\n" + torch(5, 3, 11)})
    assert _ranks(recognise(tmp_path)) == {"attempt_0/3/stderr.log": 11}


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("rank-3.txt", 3),
        ("rank_3.log", 3),
        ("rank3.out", 3),
        ("train_rank_3.log", 3),
        ("log.rank3.err", 3),
        ("logs/rank_3/train.log", 3),
        ("log_output/1/rank.3/stdout", 3),
        ("worker-3.log", 3),
        ("modelarts-job-95f661bd-proc-rank-3-device-1.txt", 3),
        ("device_3/train.log", None),
        ("modelarts-job-95f661bd-1527-41b8-worker-3.log", None),
    ],
)
def test_outputs_of_ranks_by_their_names(tmp_path: Path, name: str, rank: int | None) -> None:
    (file,) = recognise(write(tmp_path, {name: "step 1\n"})).files
    assert (file.source, file.rank) == (Source.STDOUT, rank)


def test_modelarts(tmp_path: Path) -> None:
    job = "modelarts-job-95f661bd-1527-41b8-971c-eca55e513254"
    found = recognise(
        write(
            tmp_path,
            {
                f"{job}-worker-0.log": "both\n",
                f"{job}/ascend/process_log/rank_1/plog/{plog(8)}": cann(8, "x"),
                f"{job}/ascend/process_log/rank_0/plog/{plog(8)}": cann(8, "x"),
                f"{job}-proc-rank-1-device-5.txt": "one\n",
            },
        )
    )
    assert _ranks(found) == {
        f"{job}-worker-0.log": None,
        f"{job}/ascend/process_log/rank_1/plog/{plog(8)}": 1,
        f"{job}/ascend/process_log/rank_0/plog/{plog(8)}": 0,
        f"{job}-proc-rank-1-device-5.txt": 1,
    }
    assert _by_name(found)[f"{job}-proc-rank-1-device-5.txt"].device == 5
    assert _by_name(found)[f"{job}-worker-0.log"].host == "worker-0"


def test_servers_of_faultdiag_with_logs_of_their_devices_and_their_kernel(tmp_path: Path) -> None:
    for host in range(2):
        pid = 30
        write(
            tmp_path / f"worker-{host}",
            {
                "messages": "May 21 11:00:00 node kernel: ok\n",
                "messages-20240520": "May 20 11:00:00 node kernel: ok\n",
                f"rank-{host}.txt": torch(pid, 0, host),
                f"process_log/run/plog/{plog(pid)}": agent(pid, host, 2, device=3, server=f"10.0.0.{host}"),
                "device_log/slog/dev-os-3/debug/device-os/device-os_20240521110000.log": "[EVENT] KERNEL(1,x)\n",
                "device_log/slog/dev-os-3/debug/device-3/device-3_20240521110000.log": "[ERROR] TSCH(-1,null)\n",
                "device_log/hisi_logs/device-3/history.log": "[2024-05-21-11:00:00.1] system exception code\n",
                "device_log/hisi_logs/device-3/20240521/log/kernel.log": "[131.3] NMI watchdog\n",
                "environment_check/npu_smi_3_details.csv": "time,power\n",
                "dl_log/devicePlugin/devicePlugin.log": "[INFO] x\n",
            },
        )
    files = _by_name(recognise(tmp_path))
    assert {file.host for file in files.values()} == {"worker-0", "worker-1"}
    one = {name.removeprefix("worker-1/"): file for name, file in files.items() if file.host == "worker-1"}
    assert {name: (file.source, file.rank, file.device) for name, file in one.items()} == {
        "messages": (Source.HOST, None, None),
        "messages-20240520": (Source.HOST, None, None),
        "rank-1.txt": (Source.STDOUT, 1, 3),
        f"process_log/run/plog/{plog(30)}": (Source.PLOG, 1, 3),
        "device_log/slog/dev-os-3/debug/device-os/device-os_20240521110000.log": (Source.DEVICE, None, None),
        "device_log/slog/dev-os-3/debug/device-3/device-3_20240521110000.log": (Source.DEVICE, 1, 3),
        "device_log/hisi_logs/device-3/history.log": (Source.DEVICE, 1, 3),
        "device_log/hisi_logs/device-3/20240521/log/kernel.log": (Source.DEVICE, 1, 3),
        "environment_check/npu_smi_3_details.csv": (Source.HOST, None, 3),
        "dl_log/devicePlugin/devicePlugin.log": (Source.HOST, None, None),
    }


def test_folders_beside_each_other_that_hold_what_a_host_says_are_named_after_hosts(tmp_path: Path) -> None:
    for host in ("titan", "rhea"):
        write(tmp_path, {f"job/{host}/dmesg.txt": "[ 1.000001] x\n", f"job/{host}/log/plog/{plog(4)}": cann(4, "x")})
    write(tmp_path, {"job/notes/rank-0.txt": "x\n", "job/before/npu-smi.txt": "x\n", "job/after/npu-smi.txt": "x\n"})
    assert {(file.name.split("/")[1], file.host) for file in recognise(tmp_path).files} == {
        ("titan", "titan"),
        ("rhea", "rhea"),
        ("notes", None),
        ("before", None),
        ("after", None),
    }


def test_old_cann_without_debug_and_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"ascend/log/plog/{plog(5)}": cann(5, "hcom init by file success, rankNum[2], rank[1],server[10.1.1.1]"),
            "ascend/log/device-1/device-5_20210521110000123.log": cann(5, "x"),
            "npu/slog/host-0/host-0_20210521110000123.log": cann(5, "x"),
            "npu/slog/device-os-4/device-os-4_20210521110000123.log": cann(5, "x"),
        },
    )
    assert {(f.name, f.source, f.rank, f.device) for f in recognise(tmp_path).files} == {
        (f"ascend/log/plog/{plog(5)}", Source.PLOG, 1, 1),
        ("ascend/log/device-1/device-5_20210521110000123.log", Source.DEVICE, 1, 1),
        ("npu/slog/host-0/host-0_20210521110000123.log", Source.PLOG, None, None),
        ("npu/slog/device-os-4/device-os-4_20210521110000123.log", Source.DEVICE, None, None),
    }


def test_rotated_plogs_are_one_stream_in_order_of_time_not_of_name(tmp_path: Path) -> None:
    stamps = ["20240521110000001", "20240521110500001", "20240521120000001"]
    write(tmp_path, {f"debug/plog/{plog(6, stamp)}": cann(6, "x") for stamp in stamps})
    found = recognise(tmp_path).files
    assert [(file.name, file.part) for file in found] == [(f"debug/plog/{plog(6, s)}", n) for n, s in enumerate(stamps)]
    assert len({file.stream for file in found}) == 1


def test_a_plog_that_rotated_often_is_read_at_its_ends_alone_and_mapped_as_a_whole(tmp_path: Path) -> None:
    names = [f"run/plog/{plog(6, f'2024052111{minute:02}00001')}" for minute in range(10)]
    write(tmp_path, {name: agent(6, 1, 2) if name == names[0] else cann(6, "x") for name in names})
    assert set(_ranks(recognise(tmp_path)).values()) == {1}


def test_one_output_of_all_ranks_is_of_none(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "nohup.out": "".join(torch(60 + rank, rank, rank) for rank in range(4)),
            **{f"log/debug/plog/{plog(60 + rank)}": cann(60 + rank, "x") for rank in range(4)},
        },
    )
    assert _ranks(recognise(tmp_path)) == {
        "nohup.out": None,
        **{f"log/debug/plog/{plog(60 + rank)}": rank for rank in range(4)},
    }


def test_the_report_of_torch_elastic_tells_which_pid_was_which_rank(tmp_path: Path) -> None:
    report = "Root Cause (first observed failure):\n[0]:\n  time      : 2024-05-21_11:00:00\n  host      : node-a\n"
    report += "  rank      : 5 (local_rank: 5)\n  exitcode  : 1 (pid: 833)\n  error_file: <N/A>\n"
    write(tmp_path, {"job.log": report, f"plog/{plog(833)}": cann(833, "x"), f"plog/{plog(834)}": cann(834, "x")})
    files = _by_name(recognise(tmp_path))
    assert (files[f"plog/{plog(833)}"].rank, files[f"plog/{plog(833)}"].host) == (5, "node-a")
    assert files[f"plog/{plog(834)}"].rank is None


def test_ranks_in_groups_within_the_job_are_not_taken_for_those_of_the_job(tmp_path: Path) -> None:
    write(tmp_path, {f"plog/{plog(90 + n)}": agent(90 + n, n % 2, 2) for n in range(4)})
    found = recognise(tmp_path)
    assert set(_ranks(found).values()) == {None}
    assert len(found.notes) == 2 and "communicators of 2" in found.notes[0]


def test_the_world_group_of_mindspore_gives_ranks_of_the_job_however_large_other_groups_are(tmp_path: Path) -> None:
    for rank in range(2):
        lines = agent(rank + 5, rank, 2, group="hccl_world_group") + agent(rank + 5, 0, 4, group="2-98765")
        write(tmp_path, {f"plog/{plog(rank + 5)}": lines})
    assert _ranks(recognise(tmp_path)) == {f"plog/{plog(5)}": 0, f"plog/{plog(6)}": 1}


def test_ranks_of_a_job_that_was_started_again_are_told_for_both_times(tmp_path: Path) -> None:
    for start in (11, 12):
        for rank in range(2):
            pid = 10 * start + rank
            write(tmp_path, {f"plog/{plog(pid)}": agent(pid, rank, 2, at=f"{start}:00:00")})
    found = recognise(tmp_path)
    assert sorted(file.rank for file in found.files if file.rank is not None) == [0, 0, 1, 1]
    assert found.notes == ()


def test_a_name_and_lines_that_contradict_leave_the_rank_open(tmp_path: Path) -> None:
    found = recognise(write(tmp_path, {"rank-3.txt": torch(1, 0, 5)}))
    assert _ranks(found) == {"rank-3.txt": None}
    assert found.notes == ("rank-3.txt: names and lines say different ranks, 3, 5",)


def test_a_pid_that_two_containers_have_is_that_of_the_nearest_folder(tmp_path: Path) -> None:
    for rank in range(2):
        write(
            tmp_path / f"c{rank}",
            {f"train{rank}.log": torch(107, 0, rank), f"log/debug/plog/{plog(107)}": cann(107, "x")},
        )
    assert _ranks(recognise(tmp_path)) == {
        "c0/train0.log": 0,
        "c1/train1.log": 1,
        f"c0/log/debug/plog/{plog(107)}": 0,
        f"c1/log/debug/plog/{plog(107)}": 1,
    }


def test_children_of_a_rank_have_its_rank_too(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "rank-4.txt": mindspore(40) + cann(41, "compile", module="TEFUSION"),
            **{f"log/debug/plog/{plog(pid)}": cann(pid, "x") for pid in (40, 41, 42)},
        },
    )
    ranks = _ranks(recognise(tmp_path))
    assert [ranks[f"log/debug/plog/{plog(pid)}"] for pid in (40, 41, 42)] == [4, 4, None]


def test_an_output_and_logs_of_its_pid_that_say_another_rank_are_kept_apart(tmp_path: Path) -> None:
    write(tmp_path, {"rank-4.txt": mindspore(40), f"rank_5/plog/{plog(40)}": cann(40, "x")})
    found = recognise(tmp_path)
    assert _ranks(found) == {"rank-4.txt": 4, f"rank_5/plog/{plog(40)}": 5}
    assert len(found.notes) == 1 and "not taken for the same process" in found.notes[0]


def test_a_pid_that_two_containers_have_is_not_guessed(tmp_path: Path) -> None:
    write(tmp_path, {f"c{n}/debug/plog/{plog(107)}": cann(107, "x") for n in range(2)})
    found = recognise(write(tmp_path, {"out/train.log": torch(107, 0, 1)}))
    assert _ranks(found) == {"out/train.log": 1, **{f"c{n}/debug/plog/{plog(107)}": None for n in range(2)}}
    assert len(found.notes) == 1 and "pid 107 is of 2 processes" in found.notes[0]


def test_compressed_logs_count_like_others(tmp_path: Path) -> None:
    folder = write(tmp_path, {"dmesg.txt": "[ 1.000001] x\n"})
    (folder / "rank-1.log.gz").write_bytes(gzip.compress(torch(12, 4, 1).encode()))
    (folder / f"{plog(12)}.gz").write_bytes(gzip.compress(cann(12, "x").encode()))
    assert {(f.name, f.source, f.rank) for f in recognise(tmp_path).files} == {
        ("dmesg.txt", Source.HOST, None),
        ("rank-1.log.gz", Source.STDOUT, 1),
        (f"{plog(12)}.gz", Source.PLOG, 1),
    }


def test_of_a_huge_log_both_ends_are_read_and_nothing_else(tmp_path: Path) -> None:
    with (tmp_path / "train.log").open("wb") as file:
        file.write(b"loading\n" * 1000)
        file.seek(1 << 40)
        file.write(b"\n" + torch(5, 3, 2).encode())
    assert _ranks(recognise(tmp_path)) == {"train.log": 2}


def test_a_log_that_lies_there_compressed_too_counts_once(tmp_path: Path) -> None:
    folder = write(tmp_path, {"rank-1.log": "x\n"})
    (folder / "rank-1.log.gz").write_bytes(gzip.compress(b"x\n"))
    found = recognise(folder)
    assert [file.name for file in found.files] == ["rank-1.log"]
    assert found.notes == ("rank-1.log.gz is left out: the same log lies beside it",)


def test_what_is_no_log_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "import torch\n", "README.txt": "hello\n", "rank-0.txt": "x\n"})
    (tmp_path / "core.log").write_bytes(b"\x7fELF\0\0\0")
    (tmp_path / "latest.log").symlink_to("/etc/passwd")
    found = recognise(tmp_path)
    assert [file.name for file in found.files] == ["rank-0.txt"]
    assert found.unknown == ("README.txt", "core.log", "train.py")


def test_lines_that_are_no_utf8_and_have_no_end_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "rank-0.log").write_bytes(b"\xff\xfe[rank0]: x" * 100_000)
    (tmp_path / "empty.log").write_bytes(b"")
    assert _ranks(recognise(tmp_path)) == {"rank-0.log": 0}


_LAYOUTS = (
    "rank-1.txt",
    "rank_1",
    plog(5),
    plog(6),
    "worker_1.log",
    "scheduler.log",
    "attempt_0",
    "1",
    "debug",
    "plog",
)
_NAMES = st.lists(st.sampled_from((*_LAYOUTS, "device-3", "slog", "node-2", "dmesg", "x.gz", "a.py")), max_size=4)
_LINES = st.sampled_from((agent(5, 0, 2), agent(6, 1, 2), torch(5, 1, 1), mindspore(6), "[rank1]: x\n", "\x00", "é\r"))


@given(st.dictionaries(_NAMES.map(tuple), st.lists(_LINES, max_size=4).map("".join), max_size=6))
@settings(max_examples=60, deadline=None)
def test_whatever_lies_in_a_folder_every_file_is_a_log_or_unknown_and_none_is_both(tree: dict[tuple[str], str]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for names, text in tree.items():
            with suppress(OSError):  # the folder of one is the file of another
                write(folder, {"/".join(names) or "x": text})
        found = recognise(folder)
        twice = [note.split(" is left out")[0] for note in found.notes if note.endswith("lies beside it")]
        names = [*(file.name for file in found.files), *found.unknown, *twice]
        assert sorted(names) == sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        assert len({(file.stream, file.part) for file in found.files}) == len(found.files)


def test_one_file_is_taken_by_itself(tmp_path: Path) -> None:
    write(tmp_path, {plog(5): agent(5, 1, 2), "rank-3.txt": "x\n"})
    (file,) = recognise(tmp_path / plog(5)).files
    assert (file.name, file.source, file.rank, file.pid) == (plog(5), Source.PLOG, 1, 5)


def test_a_folder_that_is_empty_or_not_there_holds_nothing(tmp_path: Path) -> None:
    assert recognise(tmp_path) == recognise(tmp_path / "nowhere") == Recognised((), (), ())
