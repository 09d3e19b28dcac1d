"""Taking a cluster down: which runs it may end without being told to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.hosts.reach import Answer
from launcher.hosts.ways import Ways
from launcher.runs.clusters import Member, Membership, cluster_id
from launcher.specs import Cluster, Host
from launcher.supervise.fleet import down
from launcher.supervise.fleet.down import take_down
from launcher.supervise.fleet.over import Known
from launcher.supervise.fleet.there import There

RUN = "job-7f3a"
CLUSTER = Cluster(
    name="two",
    soc="CPU",
    hosts=tuple(Host(name=name, address=f"10.0.0.{number}", devices=2) for number, name in enumerate("ab", start=1)),
)
OVER = Known(ended=True, supervised=False, size=900)


@dataclass
class FakeHost:
    """Answers for its host what npu-launch would there; `known` are its answers about the run, one after the other."""

    name: str
    known: list[Known | None]
    alive: bool = True
    asked: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        assert not input and timeout > 0
        if argv[0] == "sh":
            return Answer(0, f"/home\n{self._membership().model_dump_json()}".encode())
        module = next(word.removeprefix("launcher.supervise.") for word in argv if word.startswith("launcher."))
        self.asked.append(module)
        return Answer(0, json.dumps(self._answer(module)).encode())

    def put(self, content: bytes | Path, path: str, *, mode: int = 0o600, timeout: float) -> None:
        pytest.fail(f"{path} is put on {self.name}: to take a host down, nothing is")

    def get(self, path: str, to: Path, *, timeout: float) -> None:
        pytest.fail(f"{path} is got from {self.name}: to take a host down, nothing is")

    def close(self) -> None:
        """Nothing is held."""

    def _answer(self, module: str) -> object:
        if module == "fleet.there":
            runs = (RUN,) if self.alive else ()
            there = There(directory="/d", membership=None, is_head=False, token=None, alive=runs, clock=0.0)
            return there.model_dump(mode="json")
        if module == "fleet.over":
            known = self.known.pop(0)
            return {"old": "answer"} if known is None else {RUN: known.model_dump()}
        if module == "fleet.dismiss":
            self.alive = False
        return {}

    def _membership(self) -> Membership:
        members = tuple(Member(name=host.name, ip=host.address) for host in CLUSTER.hosts)
        return Membership(
            cluster="two",
            id=cluster_id(CLUSTER),
            head="a",
            me=self.name,
            members=members,
            port=19700,
            stay=True,
            python="python3",
        )


class Fleet(Ways):
    """The ways to some hosts."""

    def __init__(self, *hosts: FakeHost) -> None:
        super().__init__()
        self.hosts = {host.name: host for host in hosts}

    def __call__(self, host: Host) -> FakeHost:
        return self.hosts[host.name]

    def is_here(self, host: Host) -> bool:
        return False


def fleet(a: list[Known | None], b: list[Known | None]) -> Fleet:
    return Fleet(FakeHost("a", a), FakeHost("b", b))


def brought_down(hosts: Fleet) -> bool:
    return take_down(CLUSTER, force=False, reach=hosts, tell=lambda _: None)


def test_a_run_that_is_over_is_dismissed_by_hosts_that_did_not_hear_of_it() -> None:
    hosts = fleet([OVER], [Known(ended=False, supervised=False, size=700)])
    assert brought_down(hosts)
    assert all(host.asked[-1] == "on_ray.end" and "fleet.dismiss" in host.asked for host in hosts.hosts.values())


@pytest.mark.parametrize(
    "elsewhere", [Known(ended=False, supervised=False, size=1500), Known(ended=False, supervised=True, size=1500), None]
)
def test_a_run_that_another_host_may_go_on_with_is_refused_and_nothing_of_it_ends(elsewhere: Known | None) -> None:
    hosts = fleet([OVER], [elsewhere])
    with pytest.raises(UsageError, match=f"runs are on two: {RUN}"):
        brought_down(hosts)
    assert {"fleet.dismiss", "on_ray.end"}.isdisjoint(asked for host in hosts.hosts.values() for asked in host.asked)


def test_who_has_just_written_the_end_of_a_run_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(down, "_PAUSE", 0.0)
    ending = OVER.model_copy(update={"supervised": True})
    assert brought_down(fleet([ending, ending, OVER], [OVER] * 3))


def test_a_run_that_stays_supervised_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(down, "_FINISH", 0.0)
    with pytest.raises(UsageError, match=RUN):
        brought_down(fleet([OVER.model_copy(update={"supervised": True})], [OVER]))
