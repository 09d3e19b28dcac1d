"""What a host keeps of its clusters reads back as it was written, or says what is wrong with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError
from launcher.runs.clusters import (
    Member,
    Membership,
    cluster_directory,
    cluster_id,
    membership_path,
    read_membership,
    write_membership,
)
from launcher.specs import cluster_from_mapping

MEMBERSHIP = Membership(
    cluster="two",
    id="0123abcd",
    head="a",
    me="b",
    members=(Member(name="a", ip="10.0.0.1"), Member(name="b", ip="fd00::2")),
    port=19700,
    stay=False,
    python="/opt/python",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def ident(*hosts: tuple[str, str], **more: object) -> str:
    listed = [{"name": name, "address": address, "devices": 1} for name, address in hosts]
    return cluster_id(cluster_from_mapping({"name": "c", "soc": "CPU", "hosts": listed, **more}))


def test_a_cluster_is_known_by_its_hosts_and_nothing_else() -> None:
    a, b = ("a", "10.0.0.1"), ("b", "10.0.0.2")
    assert ident(a, b) == ident(b, a) == ident(a, b, python="/opt/python")
    assert len({ident(a, b), ident(a), ident(a, ("b", "10.0.0.3")), ident(a, ("c", "10.0.0.2"))}) == 4


def test_a_membership_reads_back_and_is_for_its_owner_alone(home: Path) -> None:
    assert read_membership(MEMBERSHIP.id) is None
    write_membership(MEMBERSHIP)
    assert read_membership(MEMBERSHIP.id) == MEMBERSHIP
    assert MEMBERSHIP.ip(MEMBERSHIP.me) == "fd00::2"
    assert stat.S_IMODE(membership_path(MEMBERSHIP.id).stat().st_mode) == 0o600
    machine = home / "machines" / os.uname().nodename
    for folder in (home, machine, machine / "clusters", cluster_directory(MEMBERSHIP.id)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "EOF"),
        ("{}", "Field required"),
        (MEMBERSHIP.model_copy(update={"id": "ffffffff"}).model_dump_json(), "is of the cluster ffffffff"),
        (MEMBERSHIP.model_dump_json().replace('"me":"b"', '"me":"c"'), "'c' is no member"),
        (MEMBERSHIP.model_dump_json().replace('"version":1', '"version":2'), "version"),
    ],
)
def test_a_file_that_is_not_ours_says_so_and_what_to_do(text: str, why: str) -> None:
    write_membership(MEMBERSHIP)
    membership_path(MEMBERSHIP.id).write_text(text)
    with pytest.raises(InfrastructureError, match=why) as raised:
        read_membership(MEMBERSHIP.id)
    assert raised.value.where == str(membership_path(MEMBERSHIP.id))
    assert "npu-launch up" in raised.value.remedy
