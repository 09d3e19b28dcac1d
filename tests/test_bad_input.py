"""Bad input is one clear message, the exit code for it, no traceback, and nothing left behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.store import all_runs
from tests.conftest import SmallDisk
from tests.end_to_end import npu_launch, write_recipe

pytestmark = pytest.mark.usefixtures("home")


def assert_refused(*arguments: str | Path, code: ExitCode, says: str) -> None:
    done = npu_launch(*arguments)
    assert done.code == code, done.err
    assert says in done.err
    assert all_runs() == []


def test_a_missing_recipe(tmp_path: Path) -> None:
    assert_refused(tmp_path / "gone.yaml", code=ExitCode.USAGE, says="gone.yaml")


def test_a_folder_instead_of_a_recipe(tmp_path: Path) -> None:
    assert_refused("run", tmp_path, code=ExitCode.USAGE, says=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [unclosed", "recipe.yaml:1:16"),
        ("", "empty"),
        ("- a list", "is not a mapping"),
        ("name: r\nframework: plain\nranks: eight\nscript: s.sh\n", "recipe.yaml:3:8"),
        ("name: r\nframework: plain\nranks: 0\nscript: s.sh\n", "recipe.yaml:3:8"),
        ("name: r\nframwork: plain\nranks: 1\nscript: s.sh\n", "framework"),
        ("name: r\nframework: plain\nranks: 1\nscript: gone.sh\n", "gone.sh"),
    ],
)
def test_a_recipe_that_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)
    assert_refused(recipe, code=ExitCode.USAGE, says=says)


def test_more_ranks_than_devices(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("name: small\nsoc: CPU\nhosts: [{name: here, address: 127.0.0.1, devices: 2}]\n")
    recipe = write_recipe(tmp_path, "true", ranks=3)
    assert_refused(recipe, "-c", cluster, code=ExitCode.USAGE, says="3 ranks")


def test_an_override_that_names_nothing(tmp_path: Path) -> None:
    assert_refused(write_recipe(tmp_path, "true"), "--set", "rank=3", code=ExitCode.USAGE, says="ranks")


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "file" / "home"))
    done = npu_launch(write_recipe(tmp_path, "true"))
    assert done.code == ExitCode.INFRASTRUCTURE
    assert "NPU_LAUNCH_HOME" in done.err


def test_a_full_disk(tmp_path: Path, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    small_disk.fill()
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(small_disk.path))
    done = npu_launch(write_recipe(tmp_path, "true"))
    assert done.code == ExitCode.INFRASTRUCTURE
    assert "No space left" in done.err
    assert not list(small_disk.path.rglob("events.jsonl"))


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(
            write_recipe(tmp_path, "true", scheduler_port=port),
            code=ExitCode.INFRASTRUCTURE,
            says=f"port {port} is taken",
        )


def test_a_cluster_that_cannot_be_reached(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("name: far\nsoc: CPU\nhosts: [{name: far, address: 192.0.2.77, devices: 8}]\n")
    assert_refused(write_recipe(tmp_path, "true"), "-c", cluster, code=ExitCode.PREFLIGHT_REFUSED, says="192.0.2.77")


def test_a_run_that_nobody_knows() -> None:
    for command in ("status", "logs", "stop", "rerun"):
        done = npu_launch(command, "no-such-run")
        assert done.code == ExitCode.USAGE
        assert "no-such-run" in done.err
