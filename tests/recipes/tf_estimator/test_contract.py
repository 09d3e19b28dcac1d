"""What a TensorFlow rank is given on NPUs, looked at by the rank: two of them, launched, on a simulated server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import ExitCode
from tests.end_to_end import latest, npu_launch
from tests.site import Site

pytestmark = pytest.mark.usefixtures("home")

ARGS = {"precision_mode": "allow_mix_precision", "loss_scale": "dynamic", "iterations_per_loop": 8}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with eight NPUs, and a shell in which another job has left its traces."""
    (host,) = Site(tmp_path / "site", 1, "910B3").hosts
    traces = {"TF_CONFIG": "{}", "RANK_SIZE": "64", "CM_CHIEF_IP": "10.9.9.9", "ASCEND_DEVICE_ID": "7", "JOB_ID": "old"}
    for name, value in {**host.environment, **traces}.items():
        monkeypatch.setenv(name, value)


def given(folder: Path, recipes: Path, rendezvous: str) -> list[dict[str, Any]]:
    """What each of two ranks found."""
    cluster = {"name": "c", "soc": "Ascend910B3", "hosts": [{"name": "here", "address": "127.0.0.1", "devices": 8}]}
    recipe = {
        "name": "contract",
        "framework": "tensorflow",
        "cluster": "cluster.yaml",
        "ranks": 2,
        "rendezvous": rendezvous,
        "script": str(Path(__file__).with_name("contract.py")),
        "args": ARGS,
        "env": {"ENABLE_FORCE_V2_CONTROL": 1, "PYTHONPATH": f"{recipes / 'tf_estimator'}:{recipes}"},
    }
    (folder / "cluster.yaml").write_text(json.dumps(cluster))
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    done = npu_launch(folder / "recipe.yaml")
    assert done.code == ExitCode.OK, done.err
    attempt = latest().layout.attempt(1)
    return [json.loads((attempt.rank(rank).work / "given.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize(("rendezvous", "meeting"), [("auto", "rank table"), ("cm", "chief")])
def test_two_ranks_have_what_npu_bridge_needs_and_the_settings_that_follow(
    tmp_path: Path, recipes: Path, rendezvous: str, meeting: str
) -> None:
    for rank, found in enumerate(given(tmp_path, recipes, rendezvous)):
        assert found["place"] == {"on_npu": True, "rank": rank, "ranks": 2, "meeting": meeting}
        assert found["settings"] == {
            "ranks": 2,
            "meets_at_chief": rendezvous == "cm",
            "modify_mixlist": "",
            "loss_scale_value": 65536.0,
            "loss_scale_window": 1000,
            "mix_compile_mode": False,
            "v2_control_flow": True,
            **ARGS,
        }
