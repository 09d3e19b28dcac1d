"""`ranktable` writes a table that HCCL takes, and says everything that is wrong with one that it does not."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.cli.main import main
from launcher.errors import ExitCode
from tests.site import Site

TWO = """\
name: two
soc: Ascend910B3
hosts:
  - name: node-a
    address: 10.0.0.10
    devices: [{id: 0, ip: 192.168.1.8}, {id: 1, ip: 192.168.2.8}]
  - name: node-b
    address: 10.0.0.11
    devices: [{id: 0, ip: 192.168.1.9}, {id: 1, ip: 192.168.2.9}]
"""
RINGS = """\
name: rings
soc: Ascend910A
hosts: [{name: node-a, address: 10.0.0.10, devices: [{id: 2}, {id: 5}]}]
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "two.yaml").write_text(TWO)
    (tmp_path / "rings.yaml").write_text(RINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(path: str = "hccl.json") -> Path:
    assert main(["ranktable", "two.yaml", "--out", path]) == ExitCode.OK
    return Path(path)


def test_a_table_goes_to_stdout_and_the_reason_for_its_format_to_stderr(capsys: Captured) -> None:
    assert main(["ranktable", "two.yaml"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert json.loads(out)["server_count"] == "2"
    assert out.endswith("}\n")
    assert err == "npu-launch: rank table 1.0, 4 ranks on 2 servers: Ascend910B3 is read from rank table 1.0\n"


def test_the_same_cluster_gives_the_same_bytes(capsys: Captured) -> None:
    assert table("a.json").read_bytes() == table("b.json").read_bytes()


def test_a_table_may_be_of_a_part_of_the_devices(capsys: Captured) -> None:
    assert main(["ranktable", "two.yaml", "--ranks", "3"]) == ExitCode.OK
    devices = [server["device"] for server in json.loads(capsys.readouterr().out)["server_list"]]
    assert [len(each) for each in devices] == [2, 1]


@pytest.mark.parametrize(
    ("ranks", "name"), [("2", "hccl_2p_01_10.0.0.10.json"), ("4", "hccl_2s_4p.json"), ("1", "hccl_1p_0_10.0.0.10.json")]
)
def test_in_a_folder_a_table_has_the_name_that_hccl_tools_gives(ranks: str, name: str, folder: Path) -> None:
    assert main(["ranktable", "two.yaml", "--ranks", ranks, "--out", "."]) == ExitCode.OK
    assert [path.name for path in folder.glob("*.json")] == [name]


def test_a_written_table_can_be_read_by_all_users() -> None:
    assert stat.S_IMODE(table().stat().st_mode) == 0o644


def test_a_table_that_hccl_would_refuse_is_not_written(folder: Path, capsys: Captured) -> None:
    assert main(["ranktable", "rings.yaml", "--out", "hccl.json"]) == ExitCode.USAGE
    assert not (folder / "hccl.json").exists()
    err = capsys.readouterr().err
    assert "which cross the HCCS rings" in err
    assert "nothing was written" in err
    assert main(["ranktable", "rings.yaml", "--out", "hccl.json", "--force"]) == ExitCode.OK
    assert (folder / "hccl.json").exists()


def test_a_file_that_is_no_rank_table_is_not_overwritten(folder: Path, capsys: Captured) -> None:
    (folder / "notes.json").write_text("my notes")
    assert main(["ranktable", "two.yaml", "--out", "notes.json"]) == ExitCode.USAGE
    assert (folder / "notes.json").read_text() == "my notes"
    assert "is no rank table" in capsys.readouterr().err
    table()
    assert main(["ranktable", "two.yaml", "--ranks", "2", "--out", "hccl.json"]) == ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no cluster"),
        (["two.yaml", "--format", "3.0"], "--format is '3.0'"),
        (["two.yaml", "--format", "2.0"], "does not fit Ascend910B3"),
        (["two.yaml", "--ranks", "0"], "--ranks is '0'"),
        (["two.yaml", "--ranks", "99"], "99 ranks, but cluster two has 4 devices"),
        (["two.yaml", "--out", "table.txt"], "ends in .json"),
        (["two.yaml", "--out", ""], "--out is empty"),
        (["two.yaml", "--out", "nosuch/hccl.json"], "nosuch: no such folder"),
        (["two.yaml", "--out", "nosuch/"], "nosuch: no such folder"),
        (["two.yaml", "--json"], "go with --check"),
        (["two.yaml", "-c", "two.yaml"], "go with --check"),
        (["nosuch.yaml"], "nosuch.yaml: no such file"),
        (["--check", "hccl.json", "--ranks", "2"], "--check goes with"),
        (["--check", "hccl.json", "-c", "nosuch.yaml"], "nosuch.yaml: no such file"),
    ],
)
def test_what_does_not_go_is_an_error_of_use(arguments: list[str], words: str, capsys: Captured) -> None:
    assert main(["ranktable", *arguments]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_a_sound_table_is_said_to_be_sound(capsys: Captured) -> None:
    table()
    capsys.readouterr()
    assert main(["ranktable", "--check", "hccl.json"]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "hccl.json: rank table 1.0, 4 ranks on 2 servers: sound",
        "which devices a job may have was not checked: version 1.0 does not say the chip; give -c CLUSTER",
    ]


def test_a_violation_is_told_with_place_code_and_remedy(capsys: Captured) -> None:
    path = table()
    path.write_text(path.read_text().replace("192.168.2.9", "192.168.1.8"))
    capsys.readouterr()
    assert main(["ranktable", "--check", "hccl.json"]) == ExitCode.USAGE
    assert capsys.readouterr().out.splitlines()[:6] == [
        "refused  ip-repeated",
        "  hccl.json:33:24  server_list[1].device[1].device_ip  device_ip 192.168.1.8 again, which rank 0 has",
        "  HCCL    EI0004: The IP is used repeatedly.",
        "  remedy  compare with `hccn_tool -i N -ip -g` of each device, and give each an address of its own",
        "",
        "hccl.json: rank table 1.0, 4 ranks on 2 servers: HCCL refuses it: 1 fault, 0 warnings",
    ]


def test_what_all_devices_have_wrong_is_told_once(folder: Path, capsys: Captured) -> None:
    values = json.loads(table().read_text())
    values["server_list"] = [
        {
            "server_id": f"node-{server:02}",
            "device": [{"device_id": str(device), "rank_id": server * 8 + device} for device in range(8)],
        }
        for server in range(64)
    ]
    values["server_count"] = "64"
    (folder / "hccl.json").write_text(json.dumps(values))
    capsys.readouterr()
    assert main(["ranktable", "--check", "hccl.json"]) == ExitCode.USAGE
    lines = capsys.readouterr().out.splitlines()
    assert "refused  not-a-string  (512 times)" in lines
    assert "  ... and 509 more places ..." in lines
    assert len(lines) < 20


def test_a_check_in_json_has_every_violation(capsys: Captured) -> None:
    path = table()
    path.write_text(path.read_text().replace('"rank_id": "3"', '"rank_id": "7"'))
    capsys.readouterr()
    assert main(["ranktable", "--check", "hccl.json", "--json"]) == ExitCode.USAGE
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["ranks"], document["servers"]) == ("1.0", 4, 2)
    assert document["refused"] is True
    assert (document["mismatches"], document["unreached"]) == (None, None)
    assert [(each["rule"], each["codes"]) for each in document["violations"]] == [
        ("rank-missing", ["EI0004", "EI0014"]),
        ("rank-beyond-size", ["EI0004", "EI0014"]),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "which is not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        ('{"版本": "1.0"}'.encode("gb18030"), "which is not UTF-8"),
        (b'{"version": "\\u001b[2J\\u0007", "status": "completed"}', 'version is "\\x07"'),
        ('{"status": "completed",\r\n"version": "1.0", "节点": 1}'.encode(), "unknown key 节点"),
    ],
)
def test_the_worst_files_are_told_in_a_line_of_printable_text(content: bytes, words: str, capsys: Captured) -> None:
    Path("hccl.json").write_bytes(content)
    assert main(["ranktable", "--check", "hccl.json"]) == ExitCode.USAGE
    out = capsys.readouterr().out
    assert words in out
    assert "\x1b" not in out
    assert "Traceback" not in out


@pytest.mark.parametrize(
    ("make", "name", "rule"),
    [
        (lambda path: None, "hccl.json", "file-missing"),
        (lambda path: path.mkdir(), "hccl.json", "file-unreadable"),
        (lambda path: os.mkfifo(path), "hccl.json", "file-unreadable"),
        (lambda path: path.symlink_to("real.json"), "hccl.json", "file-is-a-link"),
        (lambda path: path.symlink_to(path), "hccl.json", "file-unreadable"),
        (lambda path: None, "real.json/hccl.json", "file-unreadable"),
        (lambda path: path.write_bytes(Path("real.json").read_bytes()), "hccl.txt", "file-name"),
    ],
)
def test_a_file_that_cannot_be_a_table_is_told(
    make: object, name: str, rule: str, folder: Path, capsys: Captured
) -> None:
    table("real.json")
    capsys.readouterr()
    make(folder / name)  # type: ignore[operator]
    code = main(["ranktable", "--check", name])
    assert code == (ExitCode.OK if rule == "file-is-a-link" else ExitCode.USAGE)
    assert rule in capsys.readouterr().out


def check_on_site(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The check, on a simulated host, of a cluster that is that host."""
    return subprocess.run(
        [sys.executable, "-m", "launcher.cli.main", "ranktable", "--check", "site.json", "-c", "site.yaml", *arguments],
        env={**os.environ, **site.hosts[0].environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A host with four devices at an address of this machine, its cluster spec, and the table of it."""
    made = Site(tmp_path / "site", devices=4, chip="910B3", address="127.0.0.1")
    devices = "".join(f"\n      - {{id: {device.id}, ip: {device.ip}}}" for device in made.hosts[0].state.devices)
    spec = f"name: site\nsoc: Ascend910B3\nhosts:\n  - name: node-001\n    address: 127.0.0.1\n    devices:{devices}\n"
    (tmp_path / "site.yaml").write_text(spec)
    assert main(["ranktable", "site.yaml", "--out", "site.json"]) == ExitCode.OK
    return made


def test_hosts_that_agree_with_the_table_leave_it_sound(site: Site) -> None:
    done = check_on_site(site)
    assert (done.returncode, done.stdout) == (0, "site.json: rank table 1.0, 4 ranks on 1 server: sound\n")
    assert done.stderr == "npu-launch: asking 1 host, for 10 s at most\n"


def test_the_odd_one_of_table_hccn_conf_and_hccn_tool_is_named(site: Site) -> None:
    site.hosts[0].device(2).ip = "192.168.77.7"
    site.hosts[0].device(3).node = False
    done = check_on_site(site)
    assert done.returncode == ExitCode.PREFLIGHT_REFUSED
    assert "refused  node-001  odd: rank table" in done.stdout
    assert "hccn_tool 192.168.77.7; rank table is the odd one" in done.stdout
    assert "refused  node-001  odd: /dev" in done.stdout
    document = json.loads(check_on_site(site, "--json").stdout)
    assert [(each["device"], each["odd"]) for each in document["mismatches"]] == [(2, ["rank table"]), (3, ["/dev"])]


def test_a_table_of_other_hosts_is_said_not_to_be_compared(site: Site) -> None:
    path = Path("site.json")
    path.write_text(path.read_text().replace("127.0.0.1", "elsewhere"))
    done = check_on_site(site)
    assert (done.returncode, done.stderr) == (0, "")
    assert "none of its servers is one of the cluster" in done.stdout


def test_a_host_that_cannot_be_asked_is_told(site: Site) -> None:
    spec = Path("site.yaml")
    spec.write_text(spec.read_text() + "ssh: {user: nobody, port: 1}\n")  # where nobody listens
    done = check_on_site(site, "--json")
    assert done.returncode == ExitCode.INFRASTRUCTURE, done.stdout + done.stderr
    assert [each["host"] for each in json.loads(done.stdout)["unreached"]] == ["node-001"]
    assert "unknown  node-001" in check_on_site(site).stdout


def test_a_path_that_is_too_long_is_no_bug(capsys: Captured) -> None:
    assert main(["ranktable", "two.yaml", "--out", "x" * 300 + ".json"]) == ExitCode.INFRASTRUCTURE
    assert "File name too long" in capsys.readouterr().err
    assert main(["ranktable", "--check", "x" * 300 + ".json"]) == ExitCode.USAGE
    assert "File name too long" in capsys.readouterr().out
