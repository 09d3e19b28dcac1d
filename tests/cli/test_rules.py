"""`npu-launch rules`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.cli.main import main

CAPTURES = Path(__file__).parent.parent / "captures/diagnose"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_rules_are_listed_by_category(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "list", "--category", "hardware", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["category"] for row in rows} == {"hardware"}
    assert {"rule", "cause", "role", "weight", "confidence"} <= rows[0].keys()
    assert main(["rules", "list"]) == 0
    assert "hbm_ecc_error" in capsys.readouterr().out


def test_a_category_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "list", "--category", "memroy"]) == 2
    assert "memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("device_oom", "halve_micro_batch"),
        ("notify_timeout", "hccl_notify_wait_timeout"),
        ("EI0006", "HCCL_CONNECT_TIMEOUT"),
        ("507015", "AI Core"),
    ],
)
def test_a_cause_a_rule_and_a_code_are_shown(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "show", name]) == 0
    assert said in capsys.readouterr().out


def test_an_unknown_name_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "show", "device_omo"]) == 2
    assert "did you mean device_oom?" in capsys.readouterr().err


def test_a_log_is_tried_and_the_cause_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    log = CAPTURES / "hccl_connect_timeout--longer_connect_timeout--ei0006.log"
    assert main(["rules", "test", str(log)]) == 0
    assert f"> {log}:1  hccl_connect_timeout" in capsys.readouterr().out
    assert main(["rules", "test", str(log), "--rule", "torch_npu_oom"]) == 1
    assert main(["rules", "test", str(CAPTURES / "none.log")]) == 2


def test_a_rule_file_of_ones_own_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "category: memory\nrules:\n  mine:\n    cause: device_oom\n    any: [the tank is empty]\n", encoding="utf-8"
    )
    assert main(["rules", "lint", str(path)]) == 2
    assert capsys.readouterr().out == f"{path}:4:5: mine has no example that shows where it holds\n"
    with path.open("a", encoding="utf-8") as file:
        file.write("    examples: [the tank is empty]\n")
    assert main(["rules", "lint", str(path)]) == 0
