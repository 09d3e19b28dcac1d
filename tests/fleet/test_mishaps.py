"""What goes wrong on the way to a host, or is wrong with it: people are told what to do, or it works all the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.events import Note
from launcher.runs.record import RecordReader
from launcher.runs.state import RunPhase
from tests.end_to_end import Outcome, beside
from tests.fleet.site import HOME, JOB, Site, document
from tests.hosts.provision.conftest import no_python, strip
from tests.machines import Machine, Machines

pytestmark = pytest.mark.timeout(300)

CLUSTER = f"{JOB}/cluster.yaml"
AHEAD = 300  # seconds
ABOUT_SO = "(29[5-9]|30[0-5])"  # as a busy machine measures it
LONG_CABLE = 0.05  # seconds each way
LOST = 0.01  # of the frames

IMPATIENT = """
from launcher.hosts.ssh import transport
transport.KEEPALIVE = 1
from launcher.cli.main import entry
entry()
"""
STEPS = """
import os, time
rank = int(os.environ["RANK_ID"])
for step in range(1, 4):
    print(f"rank {rank} on {os.uname().nodename} step {step}", flush=True)
    time.sleep(0.1)
"""


def runs(site: Site, cluster: str = CLUSTER, ranks: int = 4) -> str:
    """Run a short job, which has to succeed and whose logs have to come home; its id."""
    done = site.npu_launch("run", site.recipe(STEPS, ranks=ranks), "-c", cluster)
    assert done.code == ExitCode.OK, done.err + done.out
    run = str(document(site.npu_launch("status", "--json"))["run"])
    assert site.state(run).phase is RunPhase.SUCCEEDED
    logs = site.npu_launch("logs", run, "--rank", f"0-{ranks - 1}")
    assert logs.out.count("step 3") == ranks, logs.out
    return run


def comes_up(site: Site, cluster: str = CLUSTER) -> Outcome:
    up = site.npu_launch("up", cluster)
    assert up.code == ExitCode.OK, up.err
    return up


def goes_down(site: Site, cluster: str = CLUSTER) -> None:
    down = site.npu_launch("down", cluster)
    assert down.code == ExitCode.OK, down.err
    assert {name: site.left_on(site.machines[name]) for name in site.hosts} == {name: [] for name in site.hosts}


def assert_said(text: str, host: str, step: str, *words: str) -> None:
    """The message about a host: the step is named, and among the rest are these patterns, in this order."""
    begin = re.search(rf"host {host}, {step}: ", text)
    assert begin is not None, text
    message = re.split(r"\n(?!  )", text[begin.start() :])[0]
    assert re.search(".*".join(words), message, re.DOTALL), message
    assert "\n  remedy    " in message, message


def ended(machine: Machine, program: str) -> None:
    """End a program there, by its name."""
    assert machine.run("pkill", "-x", program).returncode == 0


# -- hosts that do not let us in, or that we do not trust -----------------------------------------------------------


class Broken:
    """Hosts with one thing wrong with each, which can be mended."""

    hosts = ("good", "unknown", "changed", "stranger", "full", "fixed")

    def __init__(self, machines: Machines) -> None:
        self.site = Site(machines, self.hosts)
        self._known = machines.laptop.path("/root/.ssh/known_hosts")
        self._right_keys = self._known.read_text()
        self._right_spec = machines.laptop.path(CLUSTER).read_text()
        keys = dict(line.split(" ", 1) for line in self._right_keys.splitlines())
        keys = {names: key for names, key in keys.items() if not names.startswith("unknown,")}
        good = next(key for names, key in keys.items() if names.startswith("good,"))
        keys = {names: good if names.startswith("changed,") else key for names, key in keys.items()}
        self._known.write_text("".join(f"{names} {key}\n" for names, key in keys.items()))
        spec = json.loads(self._right_spec)
        spec["hosts"][self.hosts.index("stranger")]["ssh"] = {"user": "nobody-of-that-name"}
        self.site.write("cluster.yaml", json.dumps(spec))
        machines["full"].run("sh", "-c", "mount -o remount,size=1m /root; cat /dev/zero > /root/filling")
        machines["fixed"].run("mount", "-o", "remount,ro", "/root")

    def mend(self) -> None:
        machines = self.site.machines
        self._known.write_text(self._right_keys)
        self.site.write("cluster.yaml", self._right_spec)
        machines["full"].run("sh", "-c", "rm /root/filling; mount -o remount,size=500m /root")
        machines["fixed"].run("mount", "-o", "remount,rw", "/root")


@pytest.fixture(scope="module")
def broken() -> Iterator[Broken]:
    with Machines(*Broken.hosts) as machines:
        yield Broken(machines)


WRONG = {
    "unknown": ("host key", "is unknown: ssh-ed25519 SHA256:", "ssh-keygen -lf", "up CLUSTER --accept-new-host-keys"),
    "changed": ("host key", "HAS CHANGED to ssh-ed25519 SHA256:", "ssh-keygen -f /root/.ssh/known_hosts -R 10"),
    "stranger": ("log in", "nobody-of-that-name@.* takes none of our keys", "ssh-copy-id", "another user or key"),
    "full": ("look", "the disk is full: 0 MB free on /root", "df", "NPU_LAUNCH_HOME"),
    "fixed": ("look", "takes no files", "Read-only file system", "NPU_LAUNCH_HOME"),
}


def test_what_is_wrong_with_each_host_is_told_at_once_and_nothing_is_begun(broken: Broken) -> None:
    site = broken.site
    up = site.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.INFRASTRUCTURE
    for host, words in WRONG.items():
        assert_said(up.err, host, *words)
    assert "something is wrong with 5 hosts: unknown, changed, stranger, full, fixed" in up.err
    assert "host good" not in up.err
    for host in site.hosts:
        assert site.left_on(site.machines[host]) == []
        assert list(site.machines[host].path(HOME).glob("**/membership.json")) == []


def test_a_run_is_refused_with_the_same_words_and_not_begun(broken: Broken) -> None:
    site = broken.site
    done = site.npu_launch("run", site.recipe(STEPS), "-c", site.part("good", "fixed"))
    assert done.code == ExitCode.INFRASTRUCTURE
    assert_said(done.err, "fixed", *WRONG["fixed"])
    assert "error: host fixed, look" in done.err
    assert list(site.head.path(HOME).glob("runs/*")) == []


def test_a_new_key_is_shown_and_accepted_where_that_is_asked_for_and_a_changed_one_never(broken: Broken) -> None:
    site = broken.site
    public = site.machines["unknown"].path("/etc/ssh/machine_key.pub")
    shown = subprocess.run(["ssh-keygen", "-lf", str(public)], capture_output=True, text=True).stdout.split()[1]
    up = site.npu_launch("up", CLUSTER, "--accept-new-host-keys")
    assert up.code == ExitCode.INFRASTRUCTURE
    address = site.machines["unknown"].address
    assert f"unknown: {address} has the key ssh-ed25519 {shown}, new in /root/.ssh/known_hosts" in up.err
    assert_said(up.err, "changed", *WRONG["changed"])
    again = site.npu_launch("up", CLUSTER)
    assert "host unknown" not in again.err
    assert_said(again.err, "changed", *WRONG["changed"])


def test_the_same_command_brings_up_what_was_mended(broken: Broken) -> None:
    broken.mend()
    comes_up(broken.site)
    runs(broken.site, ranks=2 * len(broken.site.hosts))
    goes_down(broken.site)


# -- hosts that are reached, but not as usual -------------------------------------------------------------------------


class Odd:
    """A head, and hosts that work in another way than others; up."""

    hosts = ("good", "ahead", "narrow", "small")

    def __init__(self, machines: Machines) -> None:
        self.site = Site(machines, self.hosts)
        machines["small"].run("ip", "link", "set", "eth0", "mtu", "1280")
        self.up = comes_up(self.site)
        self.began = time.time()
        self.run = runs(self.site, ranks=2 * len(self.hosts))
        self.ended = time.time()


def sshd_says(folder: Path, line: str) -> Path:
    """What lies over a machine whose sshd is to have another setting."""
    config = folder / "etc/ssh/machine_config"
    config.parent.mkdir(parents=True)
    config.write_text(f"{line}\n")
    return folder


def clock_ahead(folder: Path) -> Path:
    """What lies over a machine on which everything that comes by ssh has a clock that is wrong."""
    sshd_says(folder, "SetEnv LD_PRELOAD=/opt/clock.so")
    library, source = folder / "opt/clock.so", Path(__file__).with_name("clock.c")
    library.parent.mkdir()
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", f"-DOFFSET={AHEAD}", "-o", library, source], check=True)
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    if shutil.which("cc") is None:
        assert not os.environ.get("CI"), "a clock is made with cc"
        pytest.skip("cc is not here, by which a clock is made: apt-get install gcc libc6-dev")
    ahead = clock_ahead(tmp_path_factory.mktemp("ahead"))
    narrow = sshd_says(tmp_path_factory.mktemp("narrow"), "MaxSessions 3")
    with Machines(*Odd.hosts, files={"ahead": [ahead], "narrow": [narrow]}) as machines:
        found = Odd(machines)
        yield found
        goes_down(found.site)


def test_a_clock_that_is_wrong_is_told_and_what_the_host_tells_is_put_in_order(odd: Odd) -> None:
    assert re.search(
        rf"ahead: its clock is {ABOUT_SO} s ahead of this machine's \(.*timedatectl set-ntp true\)", odd.up.err
    )
    events = RecordReader(odd.site.head.path(f"{HOME}/runs/{odd.run}/events.jsonl")).read()
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any(re.match(f"the clock of ahead is {ABOUT_SO} s ahead", text) for text in notes), notes
    assert all(odd.began < event.time < odd.ended for event in events)


def test_a_server_that_allows_three_sessions_gets_no_more_at_once(odd: Odd) -> None:
    assert "no more sessions" not in odd.site.machines["narrow"].path("/run/sshd.log").read_text()
    assert all(odd.site.log("narrow", odd.run, rank).count("step") == 3 for rank in (4, 5))


def test_frames_may_be_small(odd: Odd) -> None:
    assert all(odd.site.log("small", odd.run, rank).count("step") == 3 for rank in (6, 7))


def test_what_ran_over_odd_hosts_is_run_again(odd: Odd) -> None:
    again = odd.site.npu_launch("rerun", odd.run)
    assert again.code == ExitCode.OK, again.err
    assert len(odd.site.state(odd.run).attempts) == 2


def test_a_long_and_bad_cable_is_waited_for() -> None:
    with Machines("near", "far") as machines:
        machines.lengthen("far", LONG_CABLE, LOST)
        site = Site(machines, ["near", "far"])
        comes_up(site)
        runs(site)
        goes_down(site)


# -- hosts that fail while they are brought up ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three() -> Iterator[Site]:
    names = ["node-1", "node-2", "spare"]
    with Machines(*names) as machines:
        yield Site(machines, names, spares=["spare"])


def test_a_spare_without_sshd_is_missed_and_its_place_is_kept(three: Site) -> None:
    spare = three.machines["spare"]
    ended(spare, "sshd")
    up = comes_up(three)
    assert "spare: a spare, which will be missing: " in up.err
    assert_said(up.err, "spare", "connect", "refused the connection", "start sshd there")
    runs(three)
    spare.run("/usr/sbin/sshd")
    assert "spare: joined" in comes_up(three).err
    goes_down(three)


def test_a_host_that_hangs_is_told_of_and_comes_up_when_it_goes_on(three: Site) -> None:
    hangs = three.machines["node-2"]
    hangs.stop()
    try:
        up = three.npu_launch("up", CLUSTER)
    finally:
        hangs.resume()
    assert up.code == ExitCode.INFRASTRUCTURE
    assert_said(up.err, "node-2", "greet", "no answer within 10 s, though the connection was taken", "hangs")


def test_a_host_that_begins_to_hang_while_it_joins_is_told_of_and_comes_up_when_it_goes_on(three: Site) -> None:
    hangs = three.machines["node-2"]
    with beside(*three.machines.laptop.entering(sys.executable, "-c", IMPATIENT, "up", CLUSTER)) as up:
        while not list(hangs.path(HOME).glob("**/node.lock")):
            assert up.poll() is None
            time.sleep(0.01)
        hangs.stop()
        try:
            said = up.communicate(timeout=60)[1]
        finally:
            hangs.resume()
    assert up.returncode == ExitCode.INFRASTRUCTURE
    assert re.search(r"host node-2, .*\n  remedy    look whether the host ", said, re.DOTALL), said
    comes_up(three)
    runs(three)
    goes_down(three)


# -- hosts that are in another cluster as well ------------------------------------------------------------------------


def test_a_host_of_another_cluster_that_is_up_is_not_taken_from_it(three: Site) -> None:
    other = three.part("node-1", "node-2")
    comes_up(three, other)
    up = three.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.INFRASTRUCTURE
    for host in ("node-1", "node-2"):
        said = (
            rf"host {host}: it is in another cluster, site of the hosts node-1 \(\S+\), node-2 \(\S+\), which is up .*"
        )
        said += r"\n  expected .*\n  remedy    npu-launch down .*; or .*ray: {port: N}"
        assert re.search(said, up.err), up.err
    assert three.left_on(three.machines["spare"]) == []
    runs(three, other)  # it is as it was
    goes_down(three, other)


def test_a_spec_that_a_host_was_added_to_is_run_on_at_once(three: Site) -> None:
    """The Ray of a run lingers for a minute on the hosts that it was on."""
    runs(three, three.part("node-1", "node-2"))
    runs(three)
    goes_down(three)


# -- a host without what we need --------------------------------------------------------------------------------------


def test_a_host_whose_python_is_too_old_gets_one_of_its_own(tmp_path: Path) -> None:
    with Machines("good", "old", files={"old": [no_python(tmp_path)]}) as machines:
        strip(machines["old"])
        site = Site(machines, ["good", "old"])
        spec = json.loads(machines.laptop.path(CLUSTER).read_text())
        del spec["python"]
        spec["hosts"][0]["python"] = sys.executable
        site.write("cluster.yaml", json.dumps(spec))
        done = site.npu_launch("run", site.recipe(STEPS), "-c", CLUSTER)
        assert done.code == ExitCode.OK, done.err
        assert re.search(r"old: \d+ MB environment pushed in", done.err)
