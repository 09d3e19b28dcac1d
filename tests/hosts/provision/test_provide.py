"""Hosts are provided for each by itself, and compared at the end; a push survives a connection that is lost."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError, NpuLaunchError, UsageError
from launcher.hosts.provision import archive
from launcher.hosts.provision.archive import Archive
from launcher.hosts.provision.choice import Environment
from launcher.hosts.provision.closure import closure, own_machine
from launcher.hosts.provision.contents import Entry, packages_folder
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.provision.provide import provide
from launcher.hosts.provision.push import Place, push
from launcher.hosts.provision.seen import Seen, read_seen
from launcher.hosts.reach import Answer, Reach, ThisMachine
from launcher.hosts.ssh.problems import SshError, Step
from launcher.specs import Host

MACHINE = own_machine()
RELEASE = closure(MACHINE).release(MACHINE)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is packed into the user's own."""
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "own"))


def host(name: str, python: str | None = None) -> Host:
    return Host(name=name, address="10.0.0.1", devices=1, python=python)


@dataclass
class Remote:
    """The way to another machine, which is this one in truth."""

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        return ThisMachine().run(argv, input=input, timeout=timeout)

    def put(self, content: bytes | Path, path: str, *, mode: int = 0o600, timeout: float) -> None:
        raise AssertionError("nothing is put")

    def get(self, path: str, to: Path, *, timeout: float) -> None:
        raise AssertionError("nothing is fetched")

    def close(self) -> None:
        pass


@dataclass
class Saying(Remote):
    """A host that says this, whatever it is asked."""

    answer: Answer

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        return self.answer


def saying(system: str = "Linux", libc: str = "glibc 2.36", minor: int | None = None) -> Reach:
    """A host like that, where the interpreter that the spec names is 3.`minor`."""
    text = f"system\t{system}\nmachine\t{MACHINE}\nhome\t/data/home\nlibc\t{libc}\n"
    if minor is not None:
        now = closure(MACHINE).release(MACHINE)
        said = {"version": [3, minor, 1], "base": "/opt/python", "lacks": [], "npu_launch": now.npu_launch}
        said |= {"ray": now.distributions["ray"], "code": now.code}
        text += f"named\t/opt/python\t{json.dumps(said)}\n"
    return Saying(Answer(0, text.encode()))


def provided(reaches: Mapping[str, Reach | NpuLaunchError]) -> dict[str, Provided | NpuLaunchError]:
    def reach(host: Host) -> Reach:
        found = reaches[host.name]
        if isinstance(found, NpuLaunchError):
            raise found
        return found

    return provide([host(name, "/opt/python") for name in reaches], reach, home=None, tell=print)


def test_this_machine_has_what_runs_this() -> None:
    outcomes = provide([host("here")], lambda _: ThisMachine(), home="/data/home", tell=print)
    assert outcomes == {"here": Provided("here", "/data/home", sys.executable, MACHINE)}


def test_the_named_interpreter_is_used_and_the_home_is_the_heads() -> None:
    outcomes = provided({"a": saying(minor=10), "b": saying(minor=10)})
    assert outcomes["b"] == Provided("b", "/data/home", "/opt/python", MACHINE)


def test_hosts_that_would_run_another_python_than_the_head_are_refused() -> None:
    outcomes = provided({"a": saying(minor=10), "b": saying(minor=12), "c": saying(minor=10)})
    assert [name for name, one in outcomes.items() if isinstance(one, NpuLaunchError)] == ["b"]
    assert "host b, environment: it would run Python 3.12, and the head a runs Python 3.10" in str(outcomes["b"])


@pytest.mark.parametrize(
    ("reach", "message"),
    [
        (saying(system="Darwin"), "host b, look: it runs Darwin"),
        (saying(libc="musl libc (x86_64)"), "host b, push: its C library is musl libc"),
        (Saying(Answer(0, b"Welcome!\n")), "host b, look: its answer is not understood"),
        (Saying(Answer(None, problem="sh did not end within 60 s")), "host b, look: .* sh did not end within 60 s"),
        (UsageError("no such key", where="~/.ssh/config:3"), r"host b, environment: ~/\.ssh/config:3: no such key"),
    ],
)
def test_what_is_wrong_on_a_host_is_said_of_that_host_alone(reach: Reach | NpuLaunchError, message: str) -> None:
    outcomes = provided({"a": saying(minor=10), "b": reach})
    assert isinstance(outcomes["a"], Provided)
    with pytest.raises(NpuLaunchError, match=message):
        raise outcomes["b"]  # type: ignore[misc]


@dataclass
class Losing(Remote):
    """The connection is lost at the second piece of a file, when half of it has arrived."""

    appended: list[int] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        if "append" not in argv:
            return super().run(argv, input=input, timeout=timeout)
        self.appended.append(len(input))
        if len(self.appended) != 2:
            return super().run(argv, input=input, timeout=timeout)
        super().run(argv, input=input[: len(input) // 2], timeout=timeout)
        raise SshError("node-a", Step.RUN, "the connection was lost")


@dataclass
class Damaging(Remote):
    """What is sent arrives as something else."""

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        return super().run(argv, input=input[::-1], timeout=timeout)


@pytest.fixture
def packed(tmp_path: Path) -> Archive:
    """An environment with what this one has, and so much more that it takes several pieces."""
    here = f"{sysconfig.get_path('purelib')}\n{Path(__file__).parents[3]}\n".encode()
    ballast = os.urandom(20_000_000)
    folder = packages_folder(RELEASE.minor)
    entries = [Entry(f"{folder}/here.pth", lambda: here), Entry("bin/ballast", lambda: ballast, is_program=True)]
    return archive.make(tmp_path / "env-x.tar.gz", entries)


def place(home: Path, reach: Reach) -> Place:
    """An environment on the interpreter that runs this."""
    (home / "env").mkdir(parents=True)
    seen: Seen = read_seen(f"system\tLinux\nmachine\t{MACHINE}\nhome\t{home}\n")
    base = str(Path(sys.base_prefix, f"bin/python{RELEASE.minor}"))
    return Place(host("node-a"), reach, seen, RELEASE, Environment(RELEASE.name(base), base))


def test_a_push_goes_on_where_a_lost_connection_had_come_to(tmp_path: Path, packed: Archive) -> None:
    reach = Losing()
    to = place(tmp_path / "home", reach)
    assert push(to, packed, threading.Event()) == ()
    assert sum(reach.appended) < packed.demands.packed + reach.appended[1], (
        "the half that had arrived is not sent again"
    )
    assert [path.name for path in (tmp_path / "home/env").iterdir()] == [to.environment.name]
    assert Path(to.python).exists()


def test_what_arrives_damaged_is_sent_once_more_and_then_given_up(tmp_path: Path, packed: Archive) -> None:
    with pytest.raises(InfrastructureError, match="host node-a, push: the archive arrived damaged, twice"):
        push(place(tmp_path / "home", Damaging()), packed, threading.Event())
    assert list((tmp_path / "home/env").iterdir()) == []


def test_an_interrupt_ends_a_push_after_a_piece(tmp_path: Path, packed: Archive) -> None:
    stopped = threading.Event()
    stopped.set()
    reach = Losing()
    with pytest.raises(InfrastructureError, match="interrupted"):
        push(place(tmp_path / "home", reach), packed, stopped)
    assert reach.appended == []


def test_what_does_not_run_there_is_told_with_its_last_line_and_leaves_nothing(tmp_path: Path) -> None:
    empty = archive.make(tmp_path / "env-y.tar.gz", [Entry("bin/ballast", lambda: b"", is_program=True)])
    message = "host node-a, push: the environment does not run there: ModuleNotFoundError: No module named 'paramiko'"
    with pytest.raises(InfrastructureError, match=message):
        push(place(tmp_path / "home", Remote()), empty, threading.Event())
    assert list((tmp_path / "home/env").iterdir()) == []
