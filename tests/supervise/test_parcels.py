"""Another host gets what it needs of an attempt, and no more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from launcher.runs.store import RunDirectory
from launcher.supervise.parcels import Parcels, belongings
from launcher.supervise.shim.plans import has, has_elsewhere, parts_of, read_plan

PLAN: dict[str, Any] = {
    "run": "test-1a2b",
    "attempt": 2,
    "gang": True,
    "resume_from": "/ckpt/8",
    "rank_table": {"long": "table"},
    "layers": ["where variables come from"],
    "ranks": [{"rank": n, "host": f"node-{n // 2}", "argv": ["python", "train.py"]} for n in range(6)],
    "services": [{"name": "scheduler", "host": "node-0", "argv": ["python", "-m", "scheduler"]}],
    "claims": [{"host": "node-1", "path": "/claims/device-0"}],
    "host_environments": [{"hosts": ["node-0", "node-1"], "variables": {"A": "1"}}, {"hosts": ["node-2"]}],
}


def test_a_part_has_the_processes_of_its_host_and_knows_of_others() -> None:
    parts = parts_of(PLAN)
    assert set(parts) == {"node-0", "node-1", "node-2"}
    part = parts["node-1"]
    assert [rank["rank"] for rank in part["ranks"]] == [2, 3]
    assert part["claims"] == PLAN["claims"]
    assert part["host_environments"] == [{"hosts": ["node-1"], "variables": {"A": "1"}}]
    assert has(part, "services")
    assert has_elsewhere(part, "ranks")
    assert not has_elsewhere(parts["node-0"], "services")
    assert "rank_table" not in part
    assert "layers" not in part


def test_a_plan_of_one_host_has_nothing_elsewhere() -> None:
    (part,) = parts_of({**PLAN, "ranks": PLAN["ranks"][:2], "claims": []}).values()
    assert not has_elsewhere(part)


def test_parts_of_many_hosts_are_together_no_larger_than_their_plan() -> None:
    hosts = 200
    ranks = [{"rank": n, "host": f"node-{n}", "argv": ["python"] * 50, "env": {"RANK": str(n)}} for n in range(hosts)]
    groups = [{"hosts": [f"node-{n}" for n in range(hosts)], "variables": {}}]
    plan = {**PLAN, "ranks": ranks, "services": [], "claims": [], "host_environments": groups}
    together = sum(len(json.dumps(part)) for part in parts_of(plan).values())
    assert together < 2 * len(json.dumps(plan))


def test_a_shim_reads_a_part_as_it_reads_the_plan(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.json", tmp_path / "part.json"
    whole.write_text(json.dumps(PLAN))
    part.write_text(json.dumps(parts_of(PLAN)["node-2"]))
    assert read_plan(str(whole), "node-2") == read_plan(str(part), "node-2")


def test_a_parcel_has_the_part_of_the_plan_and_the_whole_rank_table(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "runs" / "test-1a2b")
    layout = run.layout.attempt(2)
    layout.directory.mkdir(parents=True)
    layout.rank_table.write_text("a table")

    async def pack() -> None:
        parcels = Parcels(run)
        with pytest.raises(FileNotFoundError):
            await parcels.of(2, "node-1")
        layout.plan.write_text(json.dumps(PLAN))  # it was not for good
        parcel = await parcels.of(2, "node-1")
        assert json.loads(parcel.files[str(layout.plan)]) == parts_of(PLAN)["node-1"]
        assert parcel.files[str(layout.rank_table)] == b"a table"
        assert parcel.belongings == ("/ckpt/8",)

    asyncio.run(pack())


def test_ranks_read_their_snapshot_of_code_and_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path))
    ranks = [{"argv": ["python", f"{tmp_path}/code/d1/job/train.py", "--data", "/data"]}] * 2
    assert belongings({"ranks": ranks, "services": [], "resume_from": "/ckpt/8"}) == (f"{tmp_path}/code/d1", "/ckpt/8")
    assert belongings({"ranks": [{"argv": ["/nfs/job/run.sh"]}], "services": [], "resume_from": None}) == ()


def test_independent_ranks_read_each_its_own_checkpoint() -> None:
    ranks = [{"argv": ["run"], "resume_from": path} for path in ("/ckpt/0/8", None, "/ckpt/2/4")]
    assert belongings({"ranks": ranks, "services": [], "resume_from": None}) == ("/ckpt/0/8", "/ckpt/2/4")
