"""`npu-launch diagnose` takes runs, folders, archives, files and streams; a verdict has at most 12 lines."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from launcher.cli.main import main
from launcher.cli.summary import summary
from launcher.cli.verdict_text import retry_words, verdict_facts
from launcher.cli.verdict_words import Lang, words
from launcher.cli.view import look
from launcher.diagnose.kept import kept
from launcher.diagnose.verdict import Verdict, verdict_schema
from tests.cli.conftest import Author, WrittenRun

ROOT = Path(__file__).parents[2]
OOM = (Path(__file__).parents[1] / "captures/diagnosis/torch_npu_oom.log").read_text()
SCHEMA = Draft202012Validator(verdict_schema())


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command; its exit code, data and talk."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def out_of_memory(author: Author) -> WrittenRun:
    run = author.run()
    run.starts()
    run.writes(2, "step 1", *OOM.splitlines())
    run.exits(2, code=1)
    run.stops("rank 2 failed")
    run.exits(0, 1, 3, code=-15, stopped=True)
    run.ends("failed", "rank 2 failed first (exit code 1)")
    return run


def test_a_run_is_diagnosed_with_its_record_and_that_is_kept(author: Author, command: Any) -> None:
    run = out_of_memory(author)
    code, out, _ = command("diagnose", run.id)
    lines = out.splitlines()
    assert (code, len(lines) <= 12) == (0, True)
    assert lines[0].startswith(f"run {run.id}  attempt 1  FAILED after")
    assert lines[1].startswith("  cause   rank 2 (node-a")
    assert "device_oom  high confidence" in lines[1]
    assert "  line    ranks/2/stdout.log:2  RuntimeError: NPU out of memory." in out
    assert "  others  3 ranks stopped by npu-launch" in out
    assert "  retry   no: the same shapes fail again" in out
    found = kept(run.directory, 1)
    assert found is not None
    assert (found.cause, found.root.rank if found.root else None) == ("device_oom", 2)


def test_the_summary_of_a_run_is_its_verdict(author: Author, command: Any) -> None:
    run = out_of_memory(author)
    command("diagnose", run.id)
    lines = summary(look(run.directory, run.time))
    assert len(lines) <= 12
    assert any(line.startswith("  cause   rank 2 (node-a") and "device_oom" in line for line in lines)
    assert not any("failed first" in line for line in lines)


def test_json_is_as_its_schema_says(author: Author, command: Any) -> None:
    out_of_memory(author)
    _, out, _ = command("diagnose", "--json")
    document = json.loads(out)
    SCHEMA.validate(document)
    assert document["root"]["rank"] == 2
    assert [(each["rank"], each["cause"]) for each in document["cascade"]] == [(r, "stopped") for r in (0, 1, 3)]
    assert {"id", "title", "kind", "change", "why"} <= set(document["suggestions"][0])
    assert document["retry"]["helps"] is False


def test_the_schema_of_the_repository_is_that_of_the_model(command: Any) -> None:
    _, printed, _ = command("schema", "diagnosis")
    assert (ROOT / "schemas/diagnosis.json").read_text("utf-8") == printed, "npu-launch schema diagnosis > schemas/..."


def test_a_file_a_folder_an_archive_and_a_stream_say_the_same(
    tmp_path: Path, command: Any, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "worker_0.log"
    log.write_text(OOM)
    archive = tmp_path / "logs.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "logs")
    causes = []
    for path in (log, folder, archive):
        _, out, _ = command("diagnose", path, "--json")
        causes.append(json.loads(out)["cause"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(OOM.encode())))
    _, out, _ = command("diagnose", "-", "--json")
    assert [*causes, json.loads(out)["cause"]] == ["device_oom"] * 4


def test_a_healthy_log_has_no_fault_and_that_is_no_error(tmp_path: Path, command: Any) -> None:
    log = tmp_path / "train.log"
    log.write_text("".join(f"epoch: 1 step: {step}, loss is {1 / step}\n" for step in range(1, 50)))
    code, out, _ = command("diagnose", log)
    assert (code, "cause   no fault found" in out) == (0, True)
    assert "read    logs: 1, ranks: 0" in out


def test_a_failure_that_no_rule_knows_is_unknown_with_the_lines_that_tell_most(author: Author, command: Any) -> None:
    good = author.succeeded()
    good.writes(0, "warning: the cache is cold, error budget 3")
    run = author.run()
    run.starts()
    for rank in range(4):
        run.writes(rank, "step 1", "warning: the cache is cold, error budget 7")
    run.writes(3, "flux capacitor refused to engage at 88 mph")
    run.exits(3, code=9)
    run.exits(0, 1, 2, code=-15, stopped=True)
    run.ends("failed", "rank 3 failed first (exit code 9)")
    _, out, _ = command("diagnose", run.id)
    assert "unknown: no rule fits what the logs say" in out
    assert "ranks/3/stdout.log:3  flux capacitor refused to engage at 88 mph" in out
    assert "cache is cold" not in out


def test_what_there_is_not_is_an_error_that_says_so(tmp_path: Path, author: Author, command: Any) -> None:
    code, _, err = command("diagnose", tmp_path / "nowhere")
    assert (code, "there is no such file or folder" in err) == (2, True)
    run = out_of_memory(author)
    code, _, err = command("diagnose", run.id, "--attempt", "7")
    assert (code, "has no attempt 7" in err) == (2, True)
    (tmp_path / "x.log").write_text("fine\n")
    code, _, err = command("diagnose", tmp_path / "x.log", "--attempt", "1")
    assert (code, "--attempt is of a run" in err) == (2, True)


@pytest.mark.parametrize("name", ["logs.tar.gz", "rank_0.log.gz"])
def test_what_cannot_be_read_is_an_error_and_not_without_a_fault(tmp_path: Path, command: Any, name: str) -> None:
    folder = tmp_path / "sent"
    folder.mkdir()
    (folder / name).write_text("no gzip at all\n")
    for path in (folder, folder / name):
        code, out, err = command("diagnose", path)
        assert (code, out, name in err, "nothing was read" in err) == (2, "", True, True)


def test_archives_in_a_folder_are_told_of(tmp_path: Path, command: Any) -> None:
    (tmp_path / "worker_0.log").write_text(OOM)
    for name in ("more.zip", "node-1/logs.tar.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"PK")
    code, out, _ = command("diagnose", tmp_path, "--json")
    assert (code, json.loads(out)["cause"]) == (0, "device_oom")
    assert (
        "more.zip and 1 more: an archive was not looked into; unpack it, or name it alone" in json.loads(out)["notes"]
    )


def test_a_pipe_is_not_waited_for(tmp_path: Path, command: Any) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, _, err = command("diagnose", tmp_path / "pipe")
    assert (code, "it is neither a file nor a folder" in err) == (2, True)


def test_explain_shows_findings_with_file_and_line_and_every_suggestion(author: Author, command: Any) -> None:
    run = out_of_memory(author)
    _, out, _ = command("diagnose", run.id, "--explain")
    assert "attempts/1/ranks/2/stdout.log:2  RuntimeError: NPU out of memory." in out
    found = kept(run.directory, 1)
    assert found is not None
    for proposed in found.suggestions:
        assert f"  {proposed.number}  {proposed.title}" in out


def test_the_answer_is_in_chinese_on_request(author: Author, command: Any) -> None:
    run = out_of_memory(author)
    _, out, _ = command("diagnose", run.id, "--lang", "zh")
    assert "  原因    rank 2" in out
    assert "置信度高" in out
    assert "  重试    否：相同的形状会再次失败" in out


def test_hostile_text_in_a_verdict_is_harmless(author: Author, command: Any) -> None:
    run = author.run()
    run.starts()
    run.writes(1, b"\x1b]0;owned\x07RuntimeError: NPU out of memory. \x1b[2J Tried to allocate 5.03 GiB")
    run.exits(1, code=1)
    run.ends("failed", "rank 1 failed first")
    for options in ([], ["--explain"]):
        _, out, _ = command("diagnose", run.id, *options)
        assert all(line.isprintable() for line in out.splitlines())


@pytest.mark.parametrize(("helps", "why", "told"), [(True, "yes, on other ports", "yes, on other ports")])
def test_a_reason_that_begins_with_the_answer_does_not_repeat_it(helps: bool, why: str, told: str) -> None:
    found = Verdict.model_validate(
        {
            **dict.fromkeys(("cause", "category", "confidence", "root", "order")),
            **dict.fromkeys(("title", "title_zh", "why", "explanation", "explanation_zh"), ""),
            **dict.fromkeys(("also", "evidence", "cascade", "considered", "findings", "suggestions", "notes"), ()),
            "subject": {"kind": "logs", "name": "x"},
            "healthy": True,
            "retry": {"helps": helps, "why": why, "why_zh": ""},
            "counts": {"files": 0, "bytes": 0, "ranks": 0},
        }
    )
    assert retry_words(found, words(Lang.EN)) == told
    assert ("cause", "no fault found") in list(verdict_facts(found, words(Lang.EN), None))
