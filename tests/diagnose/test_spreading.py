"""Several processes find what one finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.diagnose import spreading
from launcher.diagnose.context import Context
from launcher.diagnose.loading import rulebook
from launcher.diagnose.spreading import read_logs
from launcher.logs.record import LogFile, Source

OOM = (Path(__file__).parents[1] / "captures/diagnosis/torch_npu_oom.log").read_text()
AGENT = (
    "[TRACE] HCCL(1,python):2026-11-21-10:00:00.000.000 [hcom.cc:1] [1]SetupAgent rankNum[3], rank[{}], "
    "rootInfo identifier[hccl_world_group], server[10.0.0.1], logicDevId[{}], phydevId[{}], deviceIp[10.1.0.1]\n"
)


def test_findings_and_facts_are_the_same_in_one_process_and_in_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = []
    for rank in range(3):
        path = tmp_path / f"{rank}.log"
        path.write_text(AGENT.format(rank, rank, rank) + (OOM if rank == 1 else "step 1\n"))
        logs.append(LogFile(path, path.name, Source.STDOUT, rank=rank))
    logs.append(LogFile(tmp_path / "gone.log", "gone.log", Source.STDOUT, rank=3))
    alone = list(read_logs(logs, rulebook(), Context(), None))
    monkeypatch.setattr(spreading, "_WORTHWHILE", 0)
    together = list(read_logs(logs, rulebook(), Context(), None))
    assert alone == together
    assert ["device_oom" in {finding.cause for finding in reading.findings} for reading in alone] == [
        False,
        True,
        False,
        False,
    ]
    assert all(reading.facts for reading in alone[:3])
    assert alone[3].trouble.startswith("gone.log could not be read")
