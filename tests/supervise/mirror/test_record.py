"""A second host has the record as far as it went, and a new home goes on from there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.runs.events import AttemptStarted, Event, HostUnreachable, Note, RunCreated, RunEnded
from launcher.runs.fold import fold
from launcher.runs.record import RecordWriter
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory
from launcher.supervise.link import HostLink, ShimLink
from launcher.supervise.mirror import RecordMirror
from launcher.supervise.mirror.keeping import adopt, mirrored_runs
from tests.supervise.mirror.far_host import FarHost

CREATED = RunCreated(time=1, run="r", name="r", framework="plain", target="CPU", world_size=1, hosts=("a", "b", "c"))
STARTED = AttemptStarted(time=2, attempt=1, ranks=(0,), hosts=("a",))


class Run:
    """A run at home on host a, whose hosts b and c are other folders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = RunDirectory(path / "home" / "runs" / "r")
        layout = self.directory.layout
        layout.attempt(1).plan.parent.mkdir(parents=True)
        layout.attempt(1).plan.write_text("{}")
        layout.run.write_text('{"run": "r", "created": 1}')
        layout.recipe.write_text("name: r")
        self.far = {host: FarHost(path / "home", path / host) for host in "bc"}
        self.links: dict[str, HostLink] = {"a": ShimLink(Path("/none")), **self.far}
        self.state = RunState()
        self.writer = RecordWriter(layout.events)
        self.happen(CREATED, STARTED)

    def happen(self, *events: Event) -> None:
        self.state = fold(events, self.state)
        assert self.writer.append(events) is None

    def mirror(self) -> RecordMirror:
        """Another supervisor's."""
        return RecordMirror(self.directory, "a", lambda: self.state, lambda: self.links)

    def copy(self, host: str) -> bytes:
        path = self.far[host].path(self.directory.path / "mirror" / "events.jsonl")
        return path.read_bytes() if path.exists() else b""

    @property
    def record(self) -> bytes:
        return self.directory.layout.events.read_bytes()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


async def followed(mirror: RecordMirror, *steps: tuple[Callable[[], None], Callable[[], bool]]) -> None:
    """Do something, and wait until something holds; time and again."""
    task = asyncio.create_task(mirror.follow())
    for do, holds in steps:
        do()
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, "it did not come about"
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_the_record_is_on_a_second_host_as_it_grows(run: Run) -> None:
    steps = [
        (lambda: None, lambda: run.copy("b") == run.record),
        (lambda: run.happen(Note(time=3, text="a note")), lambda: run.copy("b") == run.record),
    ]
    asyncio.run(followed(run.mirror(), *steps))
    assert not run.copy("c")
    assert b"a note" in run.copy("b")


def test_when_the_second_host_is_lost_another_takes_its_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.supervise.mirror.record._RETRY", 0.01)

    def lose() -> None:
        run.far["b"].lost = True
        run.happen(HostUnreachable(time=3, host="b", heard=2))

    steps = [(lambda: None, lambda: run.copy("b") == run.record), (lose, lambda: run.copy("c") == run.record)]
    asyncio.run(followed(run.mirror(), *steps))
    assert run.record.startswith(run.copy("b"))


def test_the_end_of_a_run_is_copied_before_its_supervisor_goes(run: Run) -> None:
    asyncio.run(run.mirror().finish())
    (found,) = mirrored_runs(run.path / "b")
    assert (found.run.id, found.home, found.size) == ("r", "a", len(run.record))
    run.happen(RunEnded(time=9, outcome="succeeded", reason="all ranks ended"))
    asyncio.run(run.mirror().finish())
    assert mirrored_runs(run.path / "b") == []
    assert run.copy("b") == run.record


def test_the_end_waits_for_no_host_that_is_lost(run: Run) -> None:
    run.far["b"].lost = run.far["c"].lost = True
    asyncio.run(run.mirror().finish())


def test_the_second_host_does_not_take_the_run_for_its_own(run: Run) -> None:
    asyncio.run(run.mirror().finish())
    there = run.far["b"].path(run.directory.path)
    assert sorted(path.name for path in there.iterdir()) == ["mirror", "mirror.json"]
    assert there.stat().st_mode & 0o777 == 0o700
    assert (there / "mirror" / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_new_home_goes_on_from_the_copy(run: Run) -> None:
    asyncio.run(run.mirror().finish())
    (found,) = mirrored_runs(run.path / "b")
    adopt(found.run)
    layout, was = found.run.layout, run.directory.layout
    for path, original in [
        (layout.events, was.events),
        (layout.run, was.run),
        (layout.recipe, was.recipe),
        (layout.attempt(1).plan, was.attempt(1).plan),
    ]:
        assert path.read_bytes() == original.read_bytes()
    assert mirrored_runs(run.path / "b") == []


def test_an_adoption_that_was_interrupted_can_be_made_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(run.mirror().finish())
    (found,) = mirrored_runs(run.path / "b")
    replace = Path.replace
    done: list[Path] = []

    def interrupted(path: Path, to: Path) -> Path:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(path)
        return replace(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            adopt(found.run)
    (again,) = mirrored_runs(run.path / "b")
    adopt(again.run)
    assert again.run.layout.events.read_bytes() == run.record
    assert again.run.layout.recipe.read_text() == "name: r"


def test_a_host_that_shares_the_folder_is_no_second_host(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.links["b"] = FarHost(tmp_path / "home", tmp_path / "home")
    asyncio.run(run.mirror().finish())
    assert run.copy("c") == run.record
    assert not (run.directory.path / "mirror.json").exists()


def test_a_run_with_no_other_host_has_no_copy(run: Run) -> None:
    run.links = {"a": run.links["a"]}
    asyncio.run(run.mirror().finish())
    assert not run.copy("b")


def test_what_is_no_run_is_passed_over(tmp_path: Path) -> None:
    for name, label in {"a": "{", "b": "[]", "c": '{"home": "x", "written": 1}'}.items():
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "mirror.json").write_text(label)
    assert mirrored_runs(tmp_path) == []


@given(
    steps=st.lists(
        st.sampled_from(["happen", "copy", "another supervisor", "lose b", "find b", "tear", "diverge"]), max_size=15
    )
)
def test_whatever_happens_a_copy_that_was_finished_is_the_record(steps: list[str]) -> None:
    with TemporaryDirectory() as folder:
        run = Run(Path(folder))
        mirror = run.mirror()
        there = run.far["b"].path(run.directory.path / "mirror" / "events.jsonl")
        for number, step in enumerate(steps):
            if step == "happen":
                run.happen(Note(time=number, text="x" * number))
            elif step == "copy":
                asyncio.run(mirror.finish())
            elif step == "another supervisor":
                mirror = run.mirror()
            elif step == "lose b":
                run.far["b"].lost = True
            elif step == "find b":
                run.far["b"].lost = False
            elif there.exists():  # b has lost power, or had the record of another life; its supervisor notices
                kept = there.read_bytes()
                there.write_bytes(kept[: len(kept) // 2] + (b"other" if step == "diverge" else b""))
                mirror = run.mirror()
        run.far["b"].lost = False
        asyncio.run(run.mirror().finish())
        assert run.copy("b") == run.record
