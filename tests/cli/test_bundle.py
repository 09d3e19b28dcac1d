"""bundle makes an archive that says what happened, and nothing that is secret."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from launcher.cli.main import main
from launcher.errors import ExitCode
from tests.cli.conftest import Author, WrittenRun

SECRET = "Zq7kWm2xR9tLpV4n"


@pytest.fixture
def run(author: Author, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrittenRun:
    """A run that failed, with a secret wherever a run has one."""
    run = author.run()
    run.starts()
    plan = run.directory.layout.attempt(1).plan
    content = json.loads(plan.read_text())
    content["ranks"] = [
        {**rank, "env": {"HF_TOKEN": SECRET, "RANK_ID": str(rank["rank"])}, "argv": ["train.py", "--password", SECRET]}
        for rank in content["ranks"]
    ]
    plan.write_text(json.dumps(content))
    run.directory.layout.recipe.write_text(f"name: job\nenv:\n  MY_API_KEY: {SECRET} x\n")
    run.writes(1, f"fetching https://me:{SECRET}@example.com", "ValueError: no such `file`", f"bare {SECRET}")
    for rank in (0, 2, 3):
        run.trains(rank, 3)
    work = run.directory.layout.attempt(1).rank(1).work
    work.mkdir()
    (work / "model.ckpt").write_text("weights")
    (run.directory.layout.attempt(1).rank(1).directory / "link").symlink_to("/etc/passwd")
    run.exits(1, code=1)
    run.stops("rank 1 failed")
    run.exits(0, 2, 3, code=-15, stopped=True)
    run.ends("failed", "rank 1 failed first (exit code 1)")
    monkeypatch.chdir(tmp_path)
    return run


def opened(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        members = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in members.items() if file is not None}


def test_a_bundle_has_what_tells_of_the_failure(run: WrittenRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle"]) == 0
    assert capsys.readouterr().out == f"{run.id}-bundle.tar.gz\n"
    files = opened(Path(f"{run.id}-bundle.tar.gz"))
    for name in ("SUMMARY.md", "recipe.yaml", "events.jsonl", "attempts/1/plan.json", "attempts/1/ranks/1/stdout.log"):
        assert f"{run.id}/{name}" in files
    assert b"ValueError" in files[f"{run.id}/attempts/1/ranks/1/stdout.log"]


def test_no_secret_is_in_any_of_it(run: WrittenRun) -> None:
    assert main(["bundle", "-o", "ticket.tar.gz"]) == 0
    for name, content in opened(Path("ticket.tar.gz")).items():
        assert SECRET.encode() not in content, name
    recipe = opened(Path("ticket.tar.gz"))[f"{run.id}/recipe.yaml"]
    assert b"MY_API_KEY: '[redacted]'" in recipe


def test_files_of_the_user_and_links_are_not_in_it(run: WrittenRun) -> None:
    assert main(["bundle", "-o", "ticket.tar.gz"]) == 0
    names = opened(Path("ticket.tar.gz"))
    assert not [name for name in names if "work" in name or name.endswith("link")]


def test_only_its_owner_may_read_it(run: WrittenRun) -> None:
    before = os.umask(0)
    try:
        assert main(["bundle", "-o", "ticket.tar.gz"]) == 0
    finally:
        os.umask(before)
    assert Path("ticket.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open("ticket.tar.gz") as archive:
        assert {member.mode for member in archive} == {0o600}


def test_the_same_run_gives_the_same_bytes(run: WrittenRun) -> None:
    assert main(["bundle", "-o", "a.tar.gz"]) == main(["bundle", "-o", "b.tar.gz"]) == 0
    assert Path("a.tar.gz").read_bytes() == Path("b.tar.gz").read_bytes()
    with tarfile.open("a.tar.gz") as archive:
        names = archive.getnames()
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            ("## What happened", "rank 1 (node-a, device 1) failed first: exit code 1", ": failed", "| exit code 1 |"),
        ),
        (
            "zh",
            (
                *("## 问题现象", "rank 1（node-a，设备 1）最先失败：退出码 1", "：失败", "| 退出码 1 |"),
                "其他 rank：被 npu-launch 停止 3 个（0,2-3）",
            ),
        ),
    ],
)
def test_the_summary_is_ready_to_be_pasted(run: WrittenRun, language: str, told: tuple[str, ...]) -> None:
    assert main(["bundle", "--lang", language, "-o", "ticket.tar.gz"]) == 0
    text = opened(Path("ticket.tar.gz"))[f"{run.id}/SUMMARY.md"].decode()
    assert [words for words in told if words not in text] == []
    assert "ValueError: no such `file`" in text
    assert "HF_TOKEN=[redacted]" in text
    assert text.count("```") % 2 == 0


def test_a_bundle_can_be_piped(run: WrittenRun, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["bundle", "-o", "-"]) == 0
    with tarfile.open(fileobj=io.BytesIO(capfdbinary.readouterr().out)) as archive:
        assert f"{run.id}/SUMMARY.md" in archive.getnames()


def test_a_file_that_cannot_be_written_is_told(run: WrittenRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "-o", "nowhere/ticket.tar.gz"]) == ExitCode.USAGE
    assert "nowhere/ticket.tar.gz: cannot be written" in capsys.readouterr().err


def test_a_run_that_is_damaged_is_bundled_all_the_same(run: WrittenRun) -> None:
    layout = run.directory.layout
    layout.recipe.write_text("name: [unclosed")
    layout.attempt(1).plan.write_bytes(b"\xff{ no json, token=" + SECRET.encode())
    with layout.events.open("ab") as events:
        events.write(b'{"half of a li')
    assert main(["bundle", "-o", "ticket.tar.gz"]) == 0
    files = opened(Path("ticket.tar.gz"))
    assert b"unclosed" in files[f"{run.id}/recipe.yaml"]
    assert all(SECRET.encode() not in files[f"{run.id}/{name}"] for name in ("recipe.yaml", "attempts/1/plan.json"))


def test_long_logs_are_cut_to_head_errors_and_tail(run: WrittenRun) -> None:
    run.writes(0, *["nothing new"] * 900_000, "ERROR: in the middle", *["nothing new"] * 900_000, "the end")
    assert main(["bundle", "-o", "ticket.tar.gz"]) == 0
    files = opened(Path("ticket.tar.gz"))
    log = files[f"{run.id}/attempts/1/ranks/0/stdout.log"]
    assert len(log) <= 8 << 20
    assert b"ERROR: in the middle\n" in log
    assert log.endswith(b"the end\n")
    assert b"npu-launch left out" in log
    assert f"cut: attempts/1/ranks/0/stdout.log ({len(log)} of".encode() in files[f"{run.id}/SUMMARY.md"]
