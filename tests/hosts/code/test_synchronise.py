"""Code is the same on every host: made there whole, or found in place, and only what is new travels."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError, NpuLaunchError, SpecError
from launcher.hosts.code import receive, transport
from launcher.hosts.code.synchronise import synchronise
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.reach import Answer, ThisMachine
from launcher.specs import Host
from tests.conftest import SmallDisk

NODES = ("node-1", "node-2", "node-3")


@dataclass(frozen=True)
class Counted(ThisMachine):
    """A way that counts what goes over it, and that may be cut when so many requests have been made."""

    sent: list[int] = field(default_factory=list)
    requests_until_cut: int = 1 << 30

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        if len(self.sent) >= self.requests_until_cut:
            raise InfrastructureError("the link is down")
        self.sent.append(len(input))
        return super().run(argv, input=input, timeout=timeout)


class Cluster:
    """Hosts on this machine, each with a home of its own, which see the project only if it is `in_place`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project = folder, folder / "project"
        self.project.mkdir()
        self.told: list[str] = []
        self.ways: dict[str, Counted] = {}
        self._descriptor = os.open(self.project, os.O_RDONLY)  # which no child has

    def close(self) -> None:
        os.close(self._descriptor)

    def home(self, name: str) -> Path:
        return self.folder / name

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.project / f"{name}.py").write_text(text)

    def try_to_synchronise(
        self, *names: str, in_place: bool = False, requests_until_cut: int = 1 << 30
    ) -> dict[str, str | NpuLaunchError]:
        names = names or NODES
        self.ways = {name: Counted(requests_until_cut=requests_until_cut) for name in names}
        return synchronise(
            self.project if in_place else Path(f"/proc/self/fd/{self._descriptor}"),
            [Host(name=name, address="127.0.0.1", devices=1) for name in names],
            lambda host: self.ways[host.name],
            {name: Provided(name, str(self.home(name)), sys.executable, "x86_64") for name in names},
            self.told.append,
        )

    def synchronise(self, *names: str, in_place: bool = False) -> dict[str, Path]:
        found = self.try_to_synchronise(*names, in_place=in_place)
        assert not [error for error in found.values() if isinstance(error, NpuLaunchError)], found
        return {name: Path(str(folder)) for name, folder in found.items()}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def content(folder: Path) -> dict[bytes, object]:
    """Everything below a folder, by its name as bytes: what is in a file, where a link leads, nothing for a folder."""
    found: dict[bytes, object] = {}
    for path in folder.rglob("*"):
        inside = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            found[inside] = str(path.readlink())
        else:
            found[inside] = None if path.is_dir() else (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def test_what_runs_on_a_host_is_one_file_for_python_3_7() -> None:
    source = ast.parse(Path(receive.__file__).read_text(), feature_version=(3, 7))
    imported = {alias.name for node in ast.walk(source) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module).partition(".")[0] for node in ast.walk(source) if isinstance(node, ast.ImportFrom)}
    assert imported <= {*sys.stdlib_module_names, "__future__"}


def test_every_host_has_the_tree_as_it_is(cluster: Cluster) -> None:
    cluster.write(a="a", b="", twice="a")
    (cluster.project / "pkg/empty").mkdir(parents=True)
    (cluster.project / "pkg/run").write_text("#!/bin/sh")
    (cluster.project / "pkg/run").chmod(0o755)
    (cluster.project / "link").symlink_to("pkg/run")
    for odd in (b"new\nline", b"caf\xe9", b"a'; echo foo"):
        Path(os.fsdecode(os.fsencode(cluster.project) + b"/" + odd)).write_bytes(odd)
    folders = cluster.synchronise()
    for name in NODES:
        assert folders[name].parent == cluster.home(name) / "code"
        assert content(folders[name]) == content(cluster.project)
    assert len({folder.name for folder in folders.values()}) == 1


def test_only_what_is_new_travels_and_an_earlier_snapshot_stays_as_it_is(cluster: Cluster) -> None:
    cluster.write(a=os.urandom(100_000).hex(), b="one")
    before = cluster.synchronise("node-1")["node-1"]
    cluster.write(b="two")
    after = cluster.synchronise("node-1")["node-1"]
    assert (before / "b.py").read_text() == "one"
    assert content(after) == content(cluster.project)
    assert "1 of 2 files, " in cluster.told[-1]
    assert max(cluster.ways["node-1"].sent) < 50_000
    assert (before / "a.py").stat().st_ino != (after / "a.py").stat().st_ino  # who writes into one changes no other


def test_nothing_new_is_one_request_and_little_is_two(cluster: Cluster) -> None:
    cluster.write(a="a")
    first = cluster.synchronise()
    assert {len(way.sent) for way in cluster.ways.values()} == {2}
    cluster.told.clear()
    assert cluster.synchronise() == first
    assert {len(way.sent) for way in cluster.ways.values()} == {1}
    assert cluster.told == []


def test_hosts_that_lack_different_things_get_what_they_lack(cluster: Cluster) -> None:
    cluster.write(a="a")
    cluster.synchronise("node-1")
    cluster.write(b="b")
    folders = cluster.synchronise()
    assert {name: len(content(folder)) for name, folder in folders.items()} == dict.fromkeys(NODES, 2)
    assert sorted(cluster.told[-2:]) == [
        "code: 1 of 2 files, 0.0 MiB, to node-1",
        "code: 2 of 2 files, 0.0 MiB, to node-2, node-3",
    ]


def test_a_large_file_travels_in_parcels(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PARCEL", 1000)
    cluster.write(a=os.urandom(5_250).hex(), b="b", c="")
    folder = cluster.synchronise("node-1")["node-1"]
    assert content(folder) == content(cluster.project)
    assert len(cluster.ways["node-1"].sent) > 10


def test_code_that_all_hosts_see_is_used_where_it_is(cluster: Cluster) -> None:
    cluster.write(a="a")
    assert set(cluster.synchronise(in_place=True).values()) == {cluster.project}
    assert not cluster.home("node-1").exists()


def test_a_snapshot_that_was_written_to_is_mended(cluster: Cluster) -> None:
    cluster.write(a="a", b="b")
    (cluster.project / "link").symlink_to("a.py")
    folder = cluster.synchronise("node-1")["node-1"]
    (folder / "a.py").write_text("edited there")
    (folder / "b.py").unlink()
    (folder / "link").unlink()
    (folder / "result.txt").write_text("of a job")
    assert cluster.synchronise("node-1")["node-1"] == folder
    assert content(folder) == {**content(cluster.project), b"result.txt": (b"of a job", False)}


@pytest.mark.parametrize("requests", [1, 2, 4])
def test_one_that_was_cut_off_leaves_no_half_snapshot_and_the_next_goes_on(
    cluster: Cluster, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PARCEL", 1000)
    cluster.write(**{f"f{number}": os.urandom(400).hex() for number in range(4)})
    cut = cluster.try_to_synchronise("node-1", requests_until_cut=requests)
    assert str(cut["node-1"]) == "the link is down"
    assert [path for path in cluster.home("node-1").glob("code/*") if path.name not in ("objects", "lock")] == []
    folder = cluster.synchronise("node-1")["node-1"]
    assert content(folder) == content(cluster.project)
    assert f"{5 - requests} of 4 files" in cluster.told[-1]  # a file a request, after the first


def test_what_a_killed_maker_left_goes_with_the_next(cluster: Cluster) -> None:
    left = cluster.home("node-1") / "code/.new-0a0a-1"
    left.mkdir(parents=True)
    cluster.write(a="a")
    cluster.synchronise("node-1")
    assert not left.exists()


def test_several_at_once_come_to_the_same(cluster: Cluster) -> None:
    cluster.write(**{f"f{number}": str(number) for number in range(50)})
    program = (
        "import sys\nfrom pathlib import Path\nfrom launcher.hosts.code.synchronise import synchronise\n"
        "from launcher.hosts.provision.outcome import Provided\nfrom launcher.hosts.reach import ThisMachine\n"
        "from launcher.specs import Host\nroot, home = sys.argv[1:]\nimport os\nfd = os.open(root, os.O_RDONLY)\n"
        "print(synchronise(Path(f'/proc/self/fd/{fd}'), [Host(name='n', address='::1', devices=1)], "
        "lambda host: ThisMachine(), {'n': Provided('n', home, sys.executable, '')}, lambda text: None)['n'])"
    )
    argv = [sys.executable, "-c", program, str(cluster.project), str(cluster.home("node-1"))]
    commands = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {command.communicate(timeout=60)[0].strip() for command in commands}
    assert len(said) == 1
    assert content(Path(said.pop())) == content(cluster.project)


def snapshots(home: Path) -> set[str]:
    return {path.name for path in (home / "code").iterdir() if path.is_dir() and path.name != "objects"}


def make_snapshots(cluster: Cluster, count: int) -> list[Path]:
    made = []
    for number in range(count):
        cluster.write(a=f"{number} of {count}")
        made.append(cluster.synchronise("node-1", "node-2")["node-1"])
        for name in ("node-1", "node-2"):
            path = cluster.home(name) / f"code/{made[-1].name}.json"
            os.utime(path, (1000 * count + number, 1000 * count + number))
    return made


def test_the_newest_snapshots_are_kept_and_those_of_runs_that_have_not_ended(cluster: Cluster) -> None:
    first, second, third, fourth = make_snapshots(cluster, 4)
    runs = cluster.home("node-1") / "runs"
    for folder, events in ((first, ["attempt_started"]), (second, ["attempt_started", "run_ended"])):
        run = runs / folder.name
        run.mkdir(parents=True)
        (run / "recipe.yaml").write_text(f"script: {folder}/a.py\n")
        (run / "events.jsonl").write_text(
            "".join(json.dumps({"type": e}, separators=(",", ":")) + "\n" for e in events)
        )
    shim = cluster.home("node-2") / "runs/x/hosts/node-2"
    shim.mkdir(parents=True)
    (shim.parent.parent / "attempts/1").mkdir(parents=True)
    (shim.parent.parent / "attempts/1/plan.json").write_text(json.dumps({"argv": [f"{third}/a.py"]}))
    with (shim / "shim.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        latest = make_snapshots(cluster, 6)
    expected = {folder.name for folder in (first, third, *latest[-5:])}
    assert snapshots(cluster.home("node-1")) == expected  # what one host knows to be in use stays on all
    assert snapshots(cluster.home("node-2")) == expected
    assert fourth.name not in expected


def test_what_a_job_wrote_beside_its_code_is_never_removed(cluster: Cluster) -> None:
    (first, *_) = make_snapshots(cluster, 1)
    (first / "__pycache__").mkdir()
    (first / "__pycache__/a.pyc").write_text("")
    (first / "results").mkdir()
    (first / "results/best.ckpt").write_text("hours of work")
    make_snapshots(cluster, 6)
    assert set(content(first)) == {b"results", b"results/best.ckpt"}


def test_a_link_that_leads_nowhere_on_a_host_is_named(cluster: Cluster) -> None:
    with (cluster.folder / "imagenet").open("w") as data:  # the other processes have other descriptors
        (cluster.project / "data").symlink_to(f"/proc/{os.getpid()}/fd/{data.fileno()}")
        (cluster.project / "mine").symlink_to(f"/proc/self/fd/{data.fileno()}")
        found = cluster.try_to_synchronise("node-1")["node-1"]
        assert isinstance(found, InfrastructureError)
        assert f"mine -> /proc/self/fd/{data.fileno()}" in str(found)
        (cluster.project / "mine").unlink()
        assert (cluster.synchronise("node-1")["node-1"] / "data").is_file()


def test_a_link_that_leads_nowhere_here_either_is_kept(cluster: Cluster) -> None:
    (cluster.project / "data").symlink_to("/nowhere/at/all")
    link = cluster.synchronise("node-1")["node-1"] / "data"
    assert str(link.readlink()) == "/nowhere/at/all"


def test_a_host_that_fails_is_an_error_of_that_host_alone(cluster: Cluster) -> None:
    cluster.write(a="a")
    cluster.home("node-2").write_text("a file where the folder should be")
    found = cluster.try_to_synchronise()
    assert isinstance(found["node-2"], InfrastructureError)
    assert "host node-2" in str(found["node-2"])
    assert "Not a directory" in str(found["node-2"])
    assert content(Path(str(found["node-1"]))) == content(cluster.project)


def test_a_full_disk_is_told_and_leaves_no_half_snapshot(cluster: Cluster, small_disk: SmallDisk) -> None:
    cluster.write(a=os.urandom(3 << 20).hex())
    cluster.home("node-1").symlink_to(small_disk.path)
    found = cluster.try_to_synchronise("node-1")["node-1"]
    assert "No space left on device" in str(found)
    assert snapshots(small_disk.path) == set()


def test_code_that_changes_on_the_way_is_an_error(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.write(a="a")
    run = Counted.run

    def run_and_edit(way: Counted, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        answer = run(way, argv, input=input, timeout=timeout)
        cluster.write(a="edited meanwhile")
        return answer

    monkeypatch.setattr(Counted, "run", run_and_edit)
    with pytest.raises(SpecError, match="changed while it was brought"):
        cluster.try_to_synchronise("node-1")
