"""What Ray is started with on the hosts of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.planning.ray_ports import ray_ports
from launcher.runs.clusters import Member, Membership, Tls, token_path, write_membership
from launcher.supervise.on_ray.service import head_service, node_service
from launcher.supervise.on_ray.settings import driver_environment, node_environment, session_directory
from launcher.supervise.on_ray.terms import cluster_address, cluster_terms

SECRET = "7" * 64
MEMBERS = (Member(name="a", ip="10.0.0.1"), Member(name="b", ip="fd00::2"))


def membership(me: str = "b", head: str = "a", **fields: object) -> Membership:
    known = {"cluster": "two", "id": "0123abcd", "port": 19700, "stay": False, "python": "/opt/python", **fields}
    return Membership.model_validate({**known, "head": head, "me": me, "members": MEMBERS})


@pytest.fixture(autouse=True)
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path))
    monkeypatch.setenv("RAY_ADDRESS", "somebody:6379")
    write_membership(membership())
    token_path("0123abcd").write_text(SECRET)
    return token_path("0123abcd")


@pytest.mark.parametrize("me", ["a", "b"])
def test_the_token_is_in_a_file_and_never_on_a_command_line(me: str, token: Path) -> None:
    terms = cluster_terms(membership(me), Path("/tmp/x"))
    assert SECRET not in " ".join([*terms.argv, *terms.environment.values()])
    assert terms.environment["RAY_AUTH_TOKEN_PATH"] == str(token)
    assert "RAY_ADDRESS" not in terms.environment


def test_only_the_head_needs_the_heads_ports() -> None:
    ports = ray_ports(19700)
    head = cluster_terms(membership("a"), Path("/tmp/x"))
    node = cluster_terms(membership("b"), Path("/tmp/x"))
    assert set(head.ports) - set(node.ports) == {
        ports.gcs,
        ports.client_server,
        ports.dashboard_metric,
        ports.dashboard,
    }
    assert "--address=10.0.0.1:19700" in node.argv
    assert "--node-ip-address=fd00::2" in node.argv


def test_another_token_or_another_head_makes_other_terms(token: Path) -> None:
    first = cluster_terms(membership(), Path("/tmp/x"))
    assert cluster_terms(membership(stay=True), Path("/tmp/x")) == first
    assert cluster_terms(membership(port=20000), Path("/tmp/x")) != first
    token.write_text("8" * 64)
    assert cluster_terms(membership(), Path("/tmp/x")) != first


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    assert cluster_address(membership(head="b")) == "[fd00::2]:19700"


def test_certificates_are_passed_to_every_process() -> None:
    tls = Tls(server_cert="/c", server_key="/k", ca_cert="/ca")
    for environment in (
        driver_environment(membership(tls=tls)),
        node_environment(membership(tls=tls), ray_ports(19700)),
    ):
        assert environment["RAY_USE_TLS"] == "1"
        assert environment["RAY_TLS_SERVER_KEY"] == "/k"
    assert "RAY_USE_TLS" not in driver_environment(membership())


def test_a_ray_of_somebody_else_that_asks_for_no_token_is_shown_none(token: Path) -> None:
    theirs = membership(external="10.0.0.9:6379")
    assert driver_environment(theirs)["RAY_AUTH_MODE"] == "token"
    token.unlink()
    assert "RAY_AUTH_MODE" not in driver_environment(theirs)
    assert cluster_address(theirs) == "10.0.0.9:6379"


def test_session_folders_leave_room_for_rays_sockets_whoever_the_user_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 4_294_967_294)
    for service in (head_service("0123abcd"), node_service("0123abcd"), head_service()):
        assert len(str(session_directory(service.directory))) <= 42
