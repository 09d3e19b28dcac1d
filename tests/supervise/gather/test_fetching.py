"""What a run left comes from its home to the machine that launched it, and only what is new of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError, UsageError
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.reach import Answer, ThisMachine
from launcher.supervise.gather.fetching import fetch, hand_over
from launcher.supervise.gather.outcome import Limits
from tests.site import Site


@dataclass(frozen=True)
class Cable(ThisMachine):
    """A way that is cut after so many calls."""

    calls: list[int] = field(default_factory=list)
    until_cut: int = 1 << 30

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        if len(self.calls) >= self.until_cut:
            raise InfrastructureError("the link is down")
        answer = super().run(argv, input=input, timeout=timeout)
        self.calls.append(len(answer.stdout))
        return answer


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run at its home."""
    run = tmp_path / "home/runs/job-0001"
    for name, content in {
        "run.json": b"{}",
        "events.jsonl": b'{"type":"run_created"}\n',
        "attempts/1/plan.json": b"{}",
        "attempts/1/ranks/0/stdout.log": os.urandom(10_000),
        "attempts/1/ranks/0/work/big.ckpt": b"checkpoint",
        "attempts/1/hosts/node-1/npu-smi.txt": b"table",
        "checkpoints/1.ckpt": b"checkpoint",
    }.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    return run


def provided(run: Path, python: str = sys.executable) -> Provided:
    return Provided("node-1", str(run.parents[1]), python, "x86_64")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_record_and_the_evidence_come_and_the_rest_stays(run: Path, tmp_path: Path) -> None:
    found = fetch(run.name, ThisMachine(), provided(run), tmp_path / "here")
    wanted = {
        "events.jsonl",
        "attempts/1/plan.json",
        "attempts/1/ranks/0/stdout.log",
        "attempts/1/hosts/node-1/npu-smi.txt",
    }
    assert content(tmp_path / "here") == {name: text for name, text in content(run).items() if name in wanted}
    assert found.files == 4


def test_only_what_is_new_comes(run: Path, tmp_path: Path) -> None:
    fetch(run.name, ThisMachine(), provided(run), tmp_path / "here")
    with (run / "attempts/1/ranks/0/stdout.log").open("ab") as log:
        log.write(b"one line more\n")
    (run / "attempts/1/plan.json").write_text('{"another": true}')
    cable = Cable()
    fetch(run.name, cable, provided(run), tmp_path / "here")
    for name in ("attempts/1/ranks/0/stdout.log", "attempts/1/plan.json"):
        assert (tmp_path / "here" / name).read_bytes() == (run / name).read_bytes()
    assert cable.calls[-1] < 200


def test_one_that_was_cut_off_goes_on(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="the link is down"):
        fetch(run.name, Cable(until_cut=1), provided(run), tmp_path / "here")
    fetch(run.name, ThisMachine(), provided(run), tmp_path / "here")
    log = "attempts/1/ranks/0/stdout.log"
    assert (tmp_path / "here" / log).read_bytes() == (run / log).read_bytes()


def test_what_is_too_much_is_cut(run: Path, tmp_path: Path) -> None:
    found = fetch(run.name, ThisMachine(), provided(run), tmp_path / "here", limits=Limits(host_bytes=5000))
    assert sum(map(len, content(tmp_path / "here").values())) <= 5000
    assert b"npu-launch left out" in (tmp_path / "here/attempts/1/ranks/0/stdout.log.cut").read_bytes()
    assert found.cut[0].size == 10_000


def test_what_was_cut_goes_when_all_of_it_comes(run: Path, tmp_path: Path) -> None:
    fetch(run.name, ThisMachine(), provided(run), tmp_path / "here", limits=Limits(host_bytes=5000))
    fetch(run.name, ThisMachine(), provided(run), tmp_path / "here")
    log = "attempts/1/ranks/0/stdout.log"
    assert (tmp_path / "here" / log).read_bytes() == (run / log).read_bytes()
    assert not list((tmp_path / "here").rglob("*.cut"))


def test_what_is_here_whole_already_is_not_cut(run: Path, tmp_path: Path) -> None:
    fetch(run.name, ThisMachine(), provided(run), tmp_path / "here")
    found = fetch(run.name, ThisMachine(), provided(run), tmp_path / "here", limits=Limits(host_bytes=5000))
    assert (found.files, found.cut) == (4, ())
    assert not list((tmp_path / "here").rglob("*.cut"))


def test_only_what_a_host_lacks_is_handed_to_it(run: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    for name, text in {
        "ranks/0/stdout.log": b"shorter",
        "ranks/0/cann/plog.log": b"of another host",
        "ranks/0/stdout.log.cut": b"there is more of it there",
        "ranks/1/stdout.log.cut": b"all that there is",
        "ranks/1/stdout.txt.9-9.partial": b"half",
        "ranks/1/work/big.ckpt": b"no evidence",
    }.items():
        (here / "attempts/1" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "attempts/1" / name).write_bytes(text)
    before = content(run)
    hand_over(run.name, ThisMachine(), provided(run), here, ["attempts/1/ranks"])
    assert content(run).items() - before.items() == {
        ("attempts/1/ranks/0/cann/plog.log", b"of another host"),
        ("attempts/1/ranks/1/stdout.log.cut", b"all that there is"),
    }
    assert before.items() <= content(run).items()


def test_a_host_is_asked_itself_when_that_is_wanted(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Site(tmp_path / "site").hosts[0].environment.items():
        monkeypatch.setenv(name, value)
    fetch(run.name, ThisMachine(), replace(provided(run), host="node-2"), tmp_path / "here", snapshot_of=1)
    assert "$ " in (tmp_path / "here/attempts/1/hosts/node-2/npu-smi.txt").read_text()


def test_a_link_at_the_home_leads_nowhere_here(run: Path, tmp_path: Path) -> None:
    (run / "attempts/1/evil.log").symlink_to("/etc/passwd")
    fetch(run.name, ThisMachine(), provided(run), tmp_path / "here")
    assert not (tmp_path / "here/attempts/1/evil.log").exists()


def test_a_run_that_is_not_there_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run is called 'other'"):
        fetch("other", ThisMachine(), provided(run), tmp_path / "here")


def test_a_home_that_cannot_answer_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="cannot be fetched"):
        fetch(run.name, ThisMachine(), provided(run, "/nowhere/python"), tmp_path / "here")
