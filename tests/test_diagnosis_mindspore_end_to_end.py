"""Faults that MindSpore itself produces, on CPU: the verdict names rank and kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end import latest, npu_launch, wait_until_ended, write_python_recipe

pytest.importorskip("mindspore", reason="needs the extra npu-launch[mindspore]")
pytestmark = [pytest.mark.mindspore, pytest.mark.usefixtures("home", "shared_ports"), pytest.mark.timeout(600)]

MISSING_PACKAGE = "import mindspore_of_tomorrow"

BAD_SAMPLE = """
import mindspore.dataset

def samples():
    yield (1.0,)
    raise ValueError("sample 1 has no label")

for _ in mindspore.dataset.GeneratorDataset(samples, ["x"], shuffle=False, num_parallel_workers=1):
    pass
"""

KILLED = """
import os, signal
import mindspore
print("step 1, loss 0.5", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def verdict(folder: Path, script: str) -> dict[str, Any]:
    """What is said of a run of one rank with this script."""
    npu_launch(write_python_recipe(folder, script, ranks=1, framework="mindspore"), "-d")
    wait_until_ended(latest())
    document: dict[str, Any] = json.loads(npu_launch("diagnose", "--json").out)
    assert not document["healthy"]
    assert document["root"]["rank"] == 0
    return document


def test_a_package_that_is_missing(tmp_path: Path) -> None:
    found = verdict(tmp_path, MISSING_PACKAGE)
    assert (found["category"], found["cause"]) == ("software_stack", "missing_python_package")
    assert "mindspore_of_tomorrow" in found["evidence"][0]["text"]


def test_a_dataset_that_raises(tmp_path: Path) -> None:
    found = verdict(tmp_path, BAD_SAMPLE)
    assert found["category"] in ("data", "user_code")
    assert any("sample 1 has no label" in line["text"] for each in found["findings"] for line in each["evidence"])


def test_a_rank_that_was_killed(tmp_path: Path) -> None:
    found = verdict(tmp_path, KILLED)
    assert found["cause"] in ("worker_killed", "host_oom", "unknown")
    assert found["confidence"] != "high"
