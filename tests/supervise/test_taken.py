"""What runs have claimed on a host, as another host hears of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError
from launcher.planning.claims import BLOCK, device_claim, ports_claim
from launcher.runs.events import Slot
from launcher.specs import Cluster, Host, Recipe
from launcher.supervise.claims import DevicesTaken, Holder, Taken, foresee, taken_slots
from launcher.supervise.shim.claims import make_folder, sign, try_claim
from launcher.supervise.taken import from_json, taken_here, to_json

BLOCK_OF_OURS = 20000 + 7 * BLOCK


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NPU_LAUNCH_CLAIMS", str(tmp_path / "claims"))
    make_folder(str(tmp_path / "claims"))
    return str(tmp_path / "claims")


def claim(path: str, run: str) -> None:
    descriptor = try_claim(path)
    assert descriptor is not None
    sign(descriptor, run)


def npus(*names: str) -> Cluster:
    hosts = tuple(Host(name=name, address=f"192.0.2.{number}", devices=2) for number, name in enumerate(names, 1))
    return Cluster(name="c", soc="Ascend910B3", hosts=hosts)


def test_a_host_tells_what_other_runs_have_and_not_what_this_one_has(folder: str) -> None:
    claim(device_claim(folder, 3), "other")
    claim(device_claim(folder, 4), "mine")
    claim(ports_claim(folder, BLOCK_OF_OURS), "mine")
    claim(ports_claim(folder, BLOCK_OF_OURS + BLOCK), "other")
    Path(folder, "device-5").write_text("")  # nobody holds it
    found = taken_here("mine")
    assert {device: holder.run for device, holder in found.devices.items()} == {3: "other"}
    assert BLOCK_OF_OURS + BLOCK in found.blocks
    assert BLOCK_OF_OURS not in found.blocks


def test_a_block_in_which_somebody_listens_is_taken(folder: str) -> None:
    with socket.socket() as listener:
        for port in range(BLOCK_OF_OURS, BLOCK_OF_OURS + BLOCK):
            try:
                listener.bind(("127.0.0.1", port))
                break
            except OSError:
                continue
        listener.listen()
        assert BLOCK_OF_OURS in taken_here("mine").blocks


def test_the_answer_of_a_host_is_read_as_it_was_meant() -> None:
    taken = Taken({3: Holder(run="other", user="li", pid=7, since=1.0)}, frozenset({20000}))
    assert from_json("node-b", to_json(taken).encode()) == taken
    assert to_json(from_json("node-b", b'{"devices": {}, "blocks": []}')) == '{"devices": {}, "blocks": []}'


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"devices": [], "blocks": []}', b"Traceback (most recent call last)"])
def test_an_answer_that_is_none_names_the_host(answer: bytes) -> None:
    with pytest.raises(InfrastructureError, match="node-b"):
        from_json("node-b", answer)


def test_what_other_hosts_say_is_taken_gets_no_rank(folder: str) -> None:
    cluster = npus("node-a", "node-b")
    there = {"node-b": Taken({1: Holder(run="other")}, frozenset())}
    assert taken_slots(cluster, "mine", there) == {Slot(host="node-b", device=1): Holder(run="other")}
    recipe = Recipe(name="r", framework="plain", ranks=3, script="/job/run.sh")
    assert foresee(recipe, cluster, "mine", frozenset(), there).unavailable == {Slot(host="node-b", device=1)}
    with pytest.raises(DevicesTaken, match="3 of 4 devices are free, but there are 4 ranks"):
        foresee(recipe.model_copy(update={"ranks": 4}), cluster, "mine", frozenset(), there)


def test_a_block_of_ports_is_one_that_every_host_has(folder: str) -> None:
    cluster = npus("node-a", "node-b")
    recipe = Recipe(name="r", framework="plain", ranks=4, script="/job/run.sh")
    first = foresee(recipe, cluster, "mine", frozenset()).block
    there = {"node-b": Taken({}, frozenset({first}))}
    assert foresee(recipe, cluster, "mine", frozenset(), there).block != first
