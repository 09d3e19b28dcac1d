"""`npu-launch check` says what it looked at, what it found, and by its exit code whether a run would be refused."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from launcher.cli.main import main
from launcher.errors import ExitCode
from launcher.runs.store import all_runs
from tests.end_to_end import Outcome, write_python_recipe, write_recipe
from tests.site import Process, SimulatedHost, Site

pytestmark = pytest.mark.usefixtures("home")

NOWHERE = "255.255.255.255"  # to which no kernel connects: refused at once, with a network and without
Command = Callable[..., Outcome]

TEXT = {"type": ["string", "null"]}
NUMBER = {"type": ["integer", "null"]}


def fixed(**properties: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


DOCUMENT = fixed(
    version={"const": 1},
    refused={"type": "boolean"},
    preflight={"enum": ["fast", "full"]},
    seconds={"type": "number", "minimum": 0},
    cluster={"type": "string"},
    recipe=TEXT,
    hosts={
        "type": "array",
        "items": fixed(
            host={"type": "string"},
            address={"type": "string"},
            answered={"type": "boolean"},
            architecture=TEXT,
            npus={
                "type": ["array", "null"],
                "items": fixed(id={"type": "integer"}, name={"type": "string"}, health={"type": "string"}),
            },
            packages={"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        ),
    },
    findings={
        "type": "array",
        "items": fixed(
            severity={"enum": ["refuse", "warn", "note"]},
            check={"type": "string"},
            host=TEXT,
            device=NUMBER,
            rank=NUMBER,
            seen={"type": "string", "minLength": 1},
            expected={"type": "string"},
            remedy={"type": "string"},
            source={"type": "string"},
        ),
    },
)


@pytest.fixture
def npu_launch(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process."""

    def command(*arguments: str | Path) -> Outcome:
        code = main([*map(str, arguments)])
        return Outcome(code, *capsys.readouterr())

    return command


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """This machine, with eight NPUs."""
    (host,) = Site(tmp_path / "site", 1, "910B3").hosts
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    return host


@pytest.fixture
def cluster(tmp_path: Path, machine: SimulatedHost) -> Path:
    path = tmp_path / "cluster.yaml"
    hosts = [{"name": "here", "address": "127.0.0.1", "devices": 8}]
    path.write_text(json.dumps({"name": "mine", "soc": "Ascend910B3", "hosts": hosts}))
    return path


def test_a_sound_cluster_is_told_on_stdout_and_nothing_stands_in_the_way(npu_launch: Command, cluster: Path) -> None:
    done = npu_launch("check", cluster)
    assert done.code == ExitCode.OK, done.out
    first, host, *_, last = done.out.splitlines()
    assert first.startswith("mine: 1 host, full preflight, ")
    assert "here  127.0.0.1  8 x 910B3  all OK  driver " in host
    assert last.endswith("nothing stands in the way of a run")
    assert "asking 1 host, for 10 s at most" in done.err
    assert all_runs() == []


def test_a_refusal_is_exit_code_3_and_comes_with_its_remedy(
    npu_launch: Command, machine: SimulatedHost, cluster: Path
) -> None:
    machine.device(3).processes = (Process(pid=2**22 + 7, name="python3", memory=50000),)
    done = npu_launch("check", cluster)
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    assert f"refuse  here device 3: another process uses the device: pid {2**22 + 7} (python3, 50000 MB)" in done.out
    assert "\n  remedy    ps -o " in done.out
    assert done.out.rstrip().endswith("1 refusal: a run would be refused")


def test_warnings_are_exit_code_0(npu_launch: Command, machine: SimulatedHost, cluster: Path) -> None:
    machine.device(3).health = "Warning"
    done = npu_launch("check", cluster)
    assert done.code == ExitCode.OK
    assert "warn    here device 3: health is Warning" in done.out


def test_a_recipe_is_known_by_its_content_and_told_with_its_ranks(
    npu_launch: Command, machine: SimulatedHost, cluster: Path, tmp_path: Path
) -> None:
    machine.device(3).health = "Alarm"
    recipe = write_recipe(tmp_path, "true", name="job", ranks=4, cluster="cluster.yaml")
    done = npu_launch("check", recipe)
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    assert done.out.startswith("job on mine: 1 host, ")
    assert "here device 3 (rank 3): health is Alarm" in done.out
    fewer = write_recipe(tmp_path, "true", name="job", ranks=2)
    assert npu_launch("check", fewer, "-c", cluster).code == ExitCode.OK


def test_a_recipe_on_this_machines_cpu(npu_launch: Command, tmp_path: Path) -> None:
    done = npu_launch("check", write_recipe(tmp_path, "true", data=["gone"]))
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    assert f"data: {tmp_path}/gone is not there" in done.out
    assert "npu-smi" not in done.out


def test_what_a_run_would_say_of_script_and_framework_is_told_too(npu_launch: Command, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, "true")
    (tmp_path / "test.sh").chmod(0o644)
    assert "script is not executable" in npu_launch("check", recipe).out
    if importlib.util.find_spec("torch") is None:
        done = npu_launch("check", write_python_recipe(tmp_path, "", framework="pytorch"))
        assert done.code == ExitCode.PREFLIGHT_REFUSED
        assert "pip install torch" in done.out


def test_a_host_that_cannot_be_reached_is_refused(npu_launch: Command, tmp_path: Path) -> None:
    far = tmp_path / "far.yaml"
    hosts = [{"name": "far", "address": NOWHERE, "devices": 8}]
    far.write_text(json.dumps({"name": "far", "soc": "CPU", "hosts": hosts, "ssh": {"config": "none"}}))
    done = npu_launch("check", write_recipe(tmp_path, "true"), "-c", far)
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    assert "refuse  far: " in done.out


def test_json_keeps_to_its_schema(npu_launch: Command, machine: SimulatedHost, cluster: Path, tmp_path: Path) -> None:
    for number in (2, 3):
        machine.device(number).health = "Alarm"
    recipe = write_recipe(tmp_path, "true", name="job", ranks=8, cluster="cluster.yaml")
    for spec, name in ((cluster, None), (recipe, "job")):
        done = npu_launch("check", spec, "--json", "--preflight", "fast")
        assert done.code == ExitCode.PREFLIGHT_REFUSED
        found = json.loads(done.out)
        jsonschema.validate(found, DOCUMENT)
        assert (found["recipe"], found["refused"], found["preflight"]) == (name, True, "fast")
        assert [(f["host"], f["device"]) for f in found["findings"]] == [("here", 2), ("here", 3)]
        assert [f["rank"] for f in found["findings"]] == ([2, 3] if name else [None, None])
        assert "npu-smi info -t health -i 3 -c 0" in found["findings"][1]["remedy"]
        assert len(found["hosts"][0]["npus"]) == 8


def test_json_of_a_host_that_does_not_answer_has_nulls(npu_launch: Command, tmp_path: Path) -> None:
    far = tmp_path / "far.yaml"
    hosts = [{"name": "far", "address": NOWHERE, "devices": 8}]
    far.write_text(json.dumps({"name": "far", "soc": "CPU", "hosts": hosts, "ssh": {"config": "none"}}))
    done = npu_launch("check", far, "--json")
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    found = json.loads(done.out)
    jsonschema.validate(found, DOCUMENT)
    assert found["hosts"][0]["answered"] is False
    assert found["hosts"][0]["npus"] is None
    assert found["findings"][0]["check"] == "reach"


def test_what_hosts_say_cannot_move_the_cursor(npu_launch: Command, machine: SimulatedHost, cluster: Path) -> None:
    machine.device(0).processes = (Process(pid=2**22 + 7, name="\x1b[31m训练\x07", memory=1),)
    machine.answer("hccn_tool -i 2 -link -g", "连接\x1b]0;gone\x07状态\r\x9b2J")
    done = npu_launch("check", cluster)
    assert "训练" in done.out
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(done.out + done.err)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\x00\xff\xfe", "UTF-8"),
        (b"name: x\nhosts: 3\n", "hosts"),
    ],
)
def test_a_file_that_is_no_spec_is_a_usage_error(
    npu_launch: Command, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(content)
    done = npu_launch("check", path)
    assert done.code == ExitCode.USAGE
    assert str(path) in done.err
    assert done.out == ""


def test_a_cluster_beside_a_cluster_is_a_usage_error(npu_launch: Command, cluster: Path) -> None:
    done = npu_launch("check", cluster, "-c", cluster)
    assert done.code == ExitCode.USAGE
    assert "-c names another" in done.err


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_level_that_is_none_is_a_usage_error(npu_launch: Command, tmp_path: Path, command: str) -> None:
    done = npu_launch(command, write_recipe(tmp_path, "true"), "--preflight", "quick")
    assert done.code == ExitCode.USAGE
    assert "--preflight is 'quick'" in done.err
