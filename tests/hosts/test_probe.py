"""The probe gathers texts on any host with Python 3.7, and no command or file system can hold it up."""

from __future__ import annotations

import ast
import os
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from launcher.hosts import probe


def test_it_is_one_file_of_the_standard_library_for_python_3_7() -> None:
    tree = ast.parse(Path(probe.__file__).read_text(), feature_version=(3, 7))
    modules = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert modules <= sys.stdlib_module_names


def soon(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_command_is_answered_with_output_errors_and_code() -> None:
    answer = probe.run(["sh", "-c", "echo out; echo err >&2; exit 3"], soon(10))
    assert (answer["code"], sorted(answer["text"].split())) == (3, ["err", "out"])


def test_a_command_that_is_not_there_is_absent() -> None:
    answer = probe.run(["/no/such/npu-smi"], soon(10))
    assert (answer["code"], answer["absent"]) == (None, True)


def test_a_command_that_hangs_ends_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    answer = probe.run(["sh", "-c", f"sleep 600 & echo $! > {pids}; echo began; sleep 600"], soon(0.5))
    assert (answer["code"], answer["text"]) == (None, "began\n")
    assert "in time" in answer["problem"]
    assert is_gone(int(pids.read_text()))


def test_a_child_that_holds_the_output_of_a_command_that_has_ended_is_not_waited_for_nor_left(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    answer = probe.run(["sh", "-c", f"sleep 600 & echo $! > {pids}; echo whole; exit 3"], soon(60))
    assert (answer["code"], answer["text"], answer["problem"]) == (3, "whole\n", "")
    assert is_gone(int(pids.read_text()))


def test_a_command_that_closes_its_output_is_waited_for() -> None:
    assert probe.run(["sh", "-c", "echo whole; exec >&- 2>&-; sleep 0.1; exit 3"], soon(60))["code"] == 3
    assert "in time" in probe.run(["sh", "-c", "exec >&- 2>&-; sleep 600"], soon(0.3))["problem"]


def test_no_command_is_started_when_the_time_is_over(tmp_path: Path) -> None:
    answers = probe.run_all([["touch", str(tmp_path / "begun")]] * 20, soon(0), "")
    assert {answer["problem"] for answer in answers} == {"there was no time left for it"}
    assert not (tmp_path / "begun").exists()


def test_a_tool_that_cannot_be_executed_is_a_problem_and_not_absent(tmp_path: Path) -> None:
    (tmp_path / "npu-smi").write_text("#!/bin/sh\n")
    answer = probe.run([str(tmp_path / "npu-smi")], soon(10))
    assert (answer["code"], answer["absent"], answer["problem"]) == (None, False, "Permission denied")


def is_gone(pid: int) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        os.sched_yield()
    return False


def test_a_command_that_never_stops_printing_is_cut_off() -> None:
    answer = probe.run(["yes"], soon(10))
    assert answer["code"] is None
    assert len(answer["text"]) == probe.TEXT
    assert "more than" in answer["problem"]


def test_output_that_is_no_utf_8_is_still_text() -> None:
    assert probe.run(["printf", r"a\377b"], soon(10))["text"] == "a�b"


def test_a_file_that_is_too_large_is_a_problem_and_no_half_of_it_is_taken_for_the_whole(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (probe.TEXT + 1))
    assert "more than" in probe.read(str(tmp_path / "large"))["problem"]
    assert probe.read(str(tmp_path / "none"))["missing"] is True
    assert probe.read(str(tmp_path))["missing"] is False


def test_a_part_that_hangs_does_not_hold_up_the_others(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # as a file on a server that is gone: to open it waits for ever
    answers = probe.all_of(
        {"hangs": lambda: probe.read(str(tmp_path / "pipe")), "works": lambda: 7, "fails": lambda: 1 / 0}, soon(0.3)
    )
    assert answers["works"] == 7
    assert "hangs" in answers["hangs"]["problem"]
    assert "ZeroDivisionError" in answers["fails"]["problem"]
    with (tmp_path / "pipe").open("w"):  # let the thread go
        pass


def test_the_room_of_a_path_that_is_not_there_yet_is_that_of_the_folder_above(tmp_path: Path) -> None:
    assert probe.room(str(tmp_path / "a" / "b"))["total"] == probe.room(str(tmp_path))["total"]


def test_kinds_of_paths_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = [
        probe.look_at(str(path))["kind"] for path in (tmp_path, tmp_path / "file", tmp_path / "no", Path("/dev/null"))
    ]
    assert found == ["folder", "file", "missing", "other"]


def test_packages_are_found_without_importing_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch-2.1.0", "torch_npu-2.1.0.post3", "Not_Asked-1", "mindspore-2.2.14"):
        (tmp_path / f"{name}.dist-info").mkdir()
    (tmp_path / "torch.py").write_text("raise SystemExit('imported')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe.python_packages(sys.executable, ["torch", "torch_npu", "mindspore"], soon(10))["packages"]
    assert {name: version for name, (version, _) in found.items()} == {
        "torch": "2.1.0",
        "torch_npu": "2.1.0.post3",
        "mindspore": "2.2.14",
    }


def test_an_interpreter_that_is_none_is_a_problem_and_no_error() -> None:
    assert "No such file" in probe.python_packages("/no/python", ["torch"], soon(10))["problem"]
    assert "it ended with" in probe.python_packages("/bin/false", ["torch"], soon(10))["problem"]


def test_listening_ports_are_those_that_were_asked_about(tmp_path: Path) -> None:
    folder = tmp_path / "proc/net"
    folder.mkdir(parents=True)
    row = "   0: 00000000:{:04X} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 1\n"
    (folder / "tcp").write_text("  sl  local_address\n" + row.format(60000, "0A") + row.format(60001, "01"))
    (folder / "tcp6").write_text("garbage\n")
    assert probe.listening(probe.Root(str(tmp_path)), [60000, 60001, 60002]) == [60000]


def test_interfaces_have_all_their_addresses() -> None:
    found = probe.interfaces(probe.Root(""))
    assert "127.0.0.1" in found["lo"]
    assert set(found) == {name for _, name in socket.if_nameindex()}
    for name, known in psutil.net_if_addrs().items():
        own = {each.address.partition("%")[0] for each in known if each.family in (socket.AF_INET, socket.AF_INET6)}
        assert own == set(found[name])
