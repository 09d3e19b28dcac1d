"""Logs that are written say what a diagnosis of them would say, once, and healthy ones say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.diagnose.context import Context
from launcher.diagnose.finding import Finding
from launcher.diagnose.live import LiveScan
from launcher.diagnose.loading import rulebook
from launcher.logs.record import LogFile, Source

CAPTURES = Path(__file__).parents[2] / "captures" / "diagnosis"


class Written:
    """One log, and whoever looks through it."""

    def __init__(self, folder: Path, source: Source = Source.STDOUT) -> None:
        self.file = LogFile(folder / "stdout.log", "ranks/3/stdout.log", source, 1, "h0", 3)
        self.file.path.touch()
        self.scan = LiveScan(rulebook())
        self.told: set[str] = set()

    def says(self, text: str) -> list[Finding]:
        with self.file.path.open("a") as log:
            log.write(text)
        return list(self.scan.look([self.file], Context(), self.is_told))

    def is_told(self, finding: Finding) -> bool:
        return finding.cause in self.told

    @property
    def then(self) -> list[Finding]:
        return self.says("")


@pytest.fixture
def log(tmp_path: Path) -> Written:
    return Written(tmp_path)


def test_a_fault_is_found_at_the_look_after_the_one_that_read_it_with_its_place(log: Written) -> None:
    log.says("step 1\n" * 1000)
    oom = (CAPTURES / "torch_npu_oom.log").read_text()
    half = len(oom) // 2
    assert not log.says(oom[:half]) and not log.says(oom[half:] + "\n")
    (found,) = log.then
    assert (found.cause, found.rank, found.line, found.evidence[0].file) == (
        "device_oom",
        3,
        1001,
        "ranks/3/stdout.log",
    )
    assert not log.then


@pytest.mark.parametrize(
    "text",
    [
        "step 1, loss 0.5\n" * 50,
        "Traceback (most recent call last):\n  File \"train.py\", line 1, in <module>\nKeyError: 'x'\n",
        "UserWarning: aten::isin is not currently supported on the NPU backend and will fall back to run on the CPU.\n",
        "Gradient overflow.  Skipping step, loss scaler 0 reducing loss scale to 256.0\n",
        "epoch: 1 step: 10, loss is nan\n",  # which who reads the steps tells
        "ModuleNotFoundError: No module named 'mindspore'\n",
    ],
)
def test_what_is_no_fault_or_ends_the_script_at_once_or_others_tell_is_not_found(text: str, log: Written) -> None:
    assert not log.says(text) and not log.then


def test_what_has_been_told_hides_nothing_that_has_not(log: Written) -> None:
    log.told = {"device_oom"}
    log.says((CAPTURES / "torch_npu_oom.log").read_text() + "\n")
    log.says("[Wait][LinkEstablish]wait socket establish timeout, role[0] rank[0] timeout[120 s]\n")
    assert [finding.cause for finding in log.then] == ["hccl_connect_timeout"]


def test_a_storm_is_looked_at_for_its_first_lines_alone(log: Written) -> None:
    log.says("RuntimeError: NPU out of memory. Tried to allocate 1.00 GiB\n" * 20_000)
    found = [finding for _ in range(6) for finding in log.then]
    assert {finding.cause for finding in found} <= {"device_oom"}
    assert len(found) == 1


def test_a_log_that_is_gone_is_in_nobody_s_way(log: Written) -> None:
    log.says("RuntimeError: NPU out of memory. Tried to allocate 1.00 GiB\n")
    log.file.path.unlink()
    assert not list(log.scan.look([log.file], Context(), log.is_told))
