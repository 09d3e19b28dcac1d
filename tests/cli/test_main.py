"""Which command is meant, and what becomes of its errors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher.cli import ps
from launcher.cli.main import app, main, with_command
from launcher.errors import ExitCode, InfrastructureError, UsageError

COMMANDS = (
    *("run", "plan", "check", "ps", "status", "logs", "gather", "stop", "rerun", "up", "down"),
    *("ranktable", "schema", "discover", "diagnose"),
)


def npu_launch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "launcher.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["recipe.yaml"],
        ["recipes/resnext"],
        ["./status"],
        ["-c", "cluster.yaml", "recipe.yaml"],
        ["--dry-run", "r.yaml"],
    ],
)
def test_a_recipe_without_a_command_is_run(arguments: list[str]) -> None:
    assert with_command(arguments, COMMANDS) == ["run", *arguments]


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["status"], ["run", "recipe.yaml"]])
def test_a_command_is_a_command(arguments: list[str]) -> None:
    assert with_command(arguments, COMMANDS) == arguments


def test_nothing_at_all_asks_for_help() -> None:
    assert with_command([], COMMANDS) == ["--help"]


def test_a_file_of_any_name_can_be_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipe").touch()
    monkeypatch.chdir(tmp_path)
    assert with_command(["recipe"], COMMANDS) == ["run", "recipe"]


def test_a_misspelt_command_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="npu-launch status"):
        with_command(["staus"], COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["logs", "--bogus"],
        ["run"],
        ["status", "a", "b"],
        ["up", "x", "y"],
    ],
)
def test_a_wrong_command_line_exits_2_with_one_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("npu-launch: error: ")
    assert f"npu-launch {arguments[0]} --help" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "r.yaml", "-o", "xml"], "-o is 'xml'\n  expected  text, json, sh, docker, slurm or k8s\n"),
        (["run", "r.yaml", "--max-restarts", "x"], "--max-restarts is 'x'\n  expected  a whole number from 0 up\n"),
        (["logs", "-n", "-1"], "-n is '-1'\n  expected  a whole number from 0 up\n"),
    ],
)
def test_a_wrong_value_is_said_with_what_was_expected(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == ExitCode.USAGE
    assert capsys.readouterr().err == f"npu-launch: error: {said}"


def test_control_characters_of_the_command_line_do_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no\x1b[31m\r\x07.yaml"]) == ExitCode.USAGE
    assert capsys.readouterr().err.replace("\n", "").isprintable()


def test_closed_streams_are_no_error() -> None:
    command = f"{sys.executable} -m launcher.cli.main ps --json <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], timeout=60).returncode == ExitCode.OK


def test_an_expected_error_is_its_message_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> int:
        raise InfrastructureError("cannot write", where="/run", remedy="free some space")

    _replace(monkeypatch, "ps", full)
    assert main(["ps"]) == ExitCode.INFRASTRUCTURE
    assert capsys.readouterr().err == "npu-launch: error: /run: cannot write\n  remedy    free some space\n"


def test_a_bug_is_called_a_bug_and_its_traceback_is_kept_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def buggy() -> int:
        raise KeyError("nobody thought of this")

    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path))
    _replace(monkeypatch, "ps", buggy)
    assert main(["ps"]) == ExitCode.INFRASTRUCTURE
    err = capsys.readouterr().err
    (kept,) = (tmp_path / "crash").iterdir()
    assert "Traceback" in kept.read_text()
    assert "a bug in npu-launch" in err
    assert str(kept) in err
    assert "Traceback" not in err


def test_a_bug_whose_file_cannot_be_written_is_still_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def buggy() -> int:
        raise KeyError("nobody thought of this")

    (tmp_path / "file").touch()
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "file"))
    _replace(monkeypatch, "ps", buggy)
    assert main(["ps"]) == ExitCode.INFRASTRUCTURE
    assert "could not be written" in capsys.readouterr().err


def test_a_full_disk_is_no_bug() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "launcher.cli.main", "ps", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == ExitCode.INFRASTRUCTURE
    assert done.stderr == "npu-launch: error: No space left on device\n"


def test_ctrl_c_before_a_run_exists_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    _replace(monkeypatch, "ps", interrupted)
    assert main(["ps"]) == ExitCode.INTERRUPTED


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns(command: str) -> None:
    done = npu_launch(*filter(None, [command]), "--help", COLUMNS="80")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert "completion" not in done.stdout


def test_help_comes_at_once() -> None:
    def seconds() -> float:
        began = time.monotonic()
        assert npu_launch("--help").returncode == 0
        return time.monotonic() - began

    assert any(seconds() < 0.3 for _ in range(20))  # others may have the processor for a moment


def test_looking_loads_neither_ray_nor_a_framework() -> None:
    """Nor what draws: each would cost more than the command itself."""
    code = (
        "import sys; from launcher.cli.main import main; main(['ps']); main(['status']); main(['logs']);"
        "heavy = {'ray', 'paramiko', 'mindspore', 'torch', 'rich', 'ruamel'} & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_version_is_printed() -> None:
    done = npu_launch("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("npu-launch ")


def _replace(monkeypatch: pytest.MonkeyPatch, name: str, function: object) -> None:
    (command,) = (info for info in app.registered_commands if info.callback is ps.ps)
    monkeypatch.setattr(command, "callback", function)
    monkeypatch.setattr(command, "name", name)
