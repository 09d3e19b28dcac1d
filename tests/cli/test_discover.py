"""`npu-launch discover` writes a spec of this machine or others, or says why it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from launcher.cli.main import main
from launcher.errors import ExitCode
from launcher.specs import load_cluster
from tests.hosts.ssh.server import Server, make_key, sshd
from tests.site import SimulatedHost, Site


def discover(host: SimulatedHost | None, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a person on that host would give it; on None, a machine without NPUs."""
    environment = {**os.environ, **(host.environment if host else {"NPU_LAUNCH_ROOT": str(Path(__file__).parent)})}
    environment |= {"HOME": str(home)} if home else {}
    command = [sys.executable, "-m", "launcher.cli.main", "discover", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture
def host(tmp_path: Path) -> SimulatedHost:
    return Site(tmp_path / "site", chip="910A").hosts[0]


def test_this_machine_is_written_as_a_spec_that_loads(host: SimulatedHost, tmp_path: Path) -> None:
    out = tmp_path / "cluster.yaml"
    done = discover(host, "--out", str(out), "--name", "lab")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"wrote {out}" in done.stderr
    cluster = load_cluster(out)
    assert (cluster.name, cluster.soc) == ("lab", "Ascend910A")
    assert (cluster.hosts[0].name, cluster.hosts[0].address) == ("node-001", "10.0.0.1")
    assert [device.ip for device in cluster.hosts[0].device_list] == [device.ip for device in host.state.devices]


def test_what_is_odd_is_told_beside_the_spec(host: SimulatedHost) -> None:
    host.device(3).ip = None
    done = discover(host)
    assert done.returncode == 0
    assert "node-001 device 3: no address" in done.stderr
    assert "soc: Ascend910A\n" in done.stdout


def test_json_has_the_spec_and_the_reports(host: SimulatedHost) -> None:
    done = discover(host, "--json")
    document = json.loads(done.stdout)
    assert document["cluster"]["soc"] == "Ascend910A"
    (report,) = document["reports"].values()
    assert report["npus"][0]["health"] == "OK"


def test_a_machine_without_npus_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    done = discover(None, "--out", str(tmp_path / "cluster.yaml"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no NPU" in done.stderr
    assert not (tmp_path / "cluster.yaml").exists()


def test_a_root_that_is_not_there_is_an_error(host: SimulatedHost) -> None:
    host.root.rename(host.folder / "moved")
    done = discover(host)
    assert (done.returncode, done.stdout) == (2, "")
    assert "NPU_LAUNCH_ROOT" in done.stderr


def test_a_host_that_cannot_be_reached_is_an_error_and_not_this_machine(host: SimulatedHost) -> None:
    done = discover(host, "no-such-host.invalid")
    assert (done.returncode, done.stdout) == (4, "")
    assert "no-such-host.invalid" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["node[1-"], "bracket"),
        (["a b"], "a b"),
        (["../x"], "../x"),
        (["10.0.0.300"], "no IP address"),
        (["fd00::1", "[fd00:0::1]"], "again"),
        (["a", "a"], "again"),
        (["--soc", "Ascend910A"], "--from"),
        (["--devices", "many"], "whole number"),
        (["--from", "/no/such/file"], "no such file"),
        (["a", "--from", "b"], "both"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_told(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["discover", *arguments]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert "Traceback" not in said.err


def test_a_file_that_is_there_is_not_overwritten(host: SimulatedHost, tmp_path: Path) -> None:
    out = tmp_path / "cluster.yaml"
    out.write_text("mine")
    assert discover(host, "--out", str(out)).returncode == 2
    assert out.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told_before_anybody_is_asked(host: SimulatedHost, tmp_path: Path) -> None:
    done = discover(host, "no-such-host.invalid", "--out", str(tmp_path / "no/cluster.yaml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path}/no: is no folder" in done.stderr


def test_a_rank_table_becomes_a_spec_without_asking_anybody(tmp_path: Path) -> None:
    table = tmp_path / "hccl.json"
    device = {"device_id": "0", "device_ip": "192.168.1.8", "rank_id": "0"}
    server = {"server_id": "10.0.0.10", "host_nic_ip": "reserve", "device": [device]}
    table.write_text(
        json.dumps({"status": "completed", "version": "1.0", "server_count": "1", "server_list": [server]})
    )
    done = discover(None, "--from", str(table), "--soc", "Ascend910B3")
    assert done.returncode == 0, done.stderr
    (tmp_path / "cluster.yaml").write_text(done.stdout)
    assert load_cluster(tmp_path / "cluster.yaml").hosts[0].device_list[0].ip == "192.168.1.8"


@contextmanager
def over_ssh(site: Site, folder: Path) -> Iterator[Path]:
    """A home whose ssh knows the way to every host of the site, each with a server of its own."""
    ssh = folder / "home/.ssh"
    key = make_key(ssh / "id_ed25519")
    with ExitStack() as servers:
        for host in site.hosts:
            variables = " ".join(f"{name}={value}" for name, value in host.environment.items())
            server: Server = servers.enter_context(
                sshd(folder / host.name, key.with_suffix(".pub"), f"SetEnv {variables} HOME={folder}")
            )
            with (ssh / "config").open("a") as config, (ssh / "known_hosts").open("a") as known:
                config.write(f"Host {host.name}\n  HostName {server.address}\n  Port {server.port}\n")
                known.write(server.known_host)
        yield folder / "home"


def test_other_hosts_are_asked_over_ssh_and_one_that_fails_is_told_beside_the_spec(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=2, chip="910C")
    with over_ssh(site, tmp_path) as home:
        whole = discover(None, "node-[001-002]", home=home)
        part = discover(None, "node-[001-003]", "--json", home=home)
    assert whole.returncode == 0, whole.stderr
    (tmp_path / "whole.yaml").write_text(whole.stdout)
    cluster = load_cluster(tmp_path / "whole.yaml")
    assert [(host.name, host.address, host.super_pod) for host in cluster.hosts] == [
        ("node-001", "node-001", "0"),
        ("node-002", "node-002", "0"),
    ]
    assert cluster.hosts[1].device_list == site.cluster().hosts[1].device_list
    assert part.returncode == 4
    assert [host["name"] for host in json.loads(part.stdout)["cluster"]["hosts"]] == ["node-001", "node-002"]
    assert "not in the spec: " in part.stderr
    assert "node-003" in part.stderr
