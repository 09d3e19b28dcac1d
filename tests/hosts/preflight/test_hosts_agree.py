"""Hosts have to agree on the time and on paths, and to say what can be understood."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from launcher.hosts.preflight.clocks import check_clocks
from launcher.hosts.preflight.container import check_container
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.paths import check_paths, paths_to_ask, python_of
from launcher.hosts.preflight.placement import check_placement
from launcher.hosts.preflight.unread import check_unread
from launcher.hosts.report import Clock, HostReport, PathKind, Unread
from launcher.specs import Framework
from launcher.specs.container import Container
from tests.hosts.preflight.reports import NAMES, cluster, only, packages, recipe, report, subject


def clocks(*ahead: float, took: float = 0.1) -> list[HostReport]:
    """Hosts whose clocks are so many seconds ahead of ours, asked in so many seconds."""
    return [
        report(name, clock=Clock(1000, 1000 + took / 2 + s, 1000 + took)) for name, s in zip(NAMES, ahead, strict=False)
    ]


def test_clocks_that_agree_within_a_second_are_not_spoken_of() -> None:
    assert not list(check_clocks(subject(clocks(0, 0.8, -0.8), cluster(3))))


@pytest.mark.parametrize(
    ("ahead", "words"), [(7.0, "7.0 s ahead of"), (-600.0, "10 min behind"), (9000, "2.5 h ahead")]
)
def test_a_clock_that_is_off_is_named(ahead: float, words: str) -> None:
    finding = only(check_clocks, subject(clocks(0, 0, ahead), cluster(3)))
    assert (finding.severity, finding.host) == (Severity.WARN, "node-c")
    assert words in finding.seen
    assert "chronyc" in finding.remedy


def test_of_two_hosts_our_own_clock_tells_the_odd_one() -> None:
    assert only(check_clocks, subject(clocks(0, 5), cluster(2))).host == "node-b"


def test_a_clock_of_ours_that_is_off_blames_no_host() -> None:
    assert not list(check_clocks(subject(clocks(60, 60, 60), cluster(3))))


def test_what_the_asking_took_is_no_skew() -> None:
    assert not list(check_clocks(subject(clocks(0, 2, took=5), cluster(2))))


def test_python_and_data_have_to_be_on_every_host_and_the_script_comes_with_the_run() -> None:
    job = recipe(4, python="/opt/python", framework=Framework.PYTORCH, data=("/data/imagenet",), script="/job/train.py")
    asked = paths_to_ask(job, cluster(2))
    assert asked == ("/opt/python", "/data/imagenet")
    there = dict.fromkeys(asked, PathKind.FILE)
    missing = {**there, "/data/imagenet": PathKind.MISSING, "/opt/python": PathKind.UNREADABLE}
    found = list(check_paths(subject([report(paths=there), report("node-b", paths=missing)], cluster(2), job)))
    assert [(f.severity, f.host) for f in found] == [(Severity.REFUSE, "node-b")] * 2
    assert [f.seen for f in found] == [
        "python: /opt/python cannot be read by the user",
        "data: /data/imagenet is not there",
    ]
    assert "what node-a has it on" in found[1].remedy


def test_data_may_be_a_folder_and_a_script_may_not() -> None:
    job = recipe(data=("/data",))
    (host,) = cluster().hosts
    here = cluster().model_copy(update={"hosts": (host.model_copy(update={"address": "127.0.0.1"}),)})
    paths = {"/data": PathKind.FOLDER, "/job/run.sh": PathKind.FOLDER}
    finding = only(check_paths, subject([report(paths=paths)], here, job))
    assert finding.seen == "script: /job/run.sh is a folder"


def test_another_host_needs_a_python_with_the_framework_unless_the_launchers_own_is_there_too() -> None:
    job = recipe(framework=Framework.MINDSPORE, script="/job/train.py")
    assert paths_to_ask(job, cluster()) == (sys.executable,)
    finding = only(check_paths, subject([report(paths={sys.executable: PathKind.MISSING})], job=job))
    assert (finding.severity, finding.seen) == (Severity.REFUSE, "nothing says which Python has the framework")
    assert not list(check_paths(subject([report(paths={sys.executable: PathKind.FILE})], job=job)))
    plain = recipe(python="/opt/python")
    assert not list(check_paths(subject([report(paths={sys.executable: PathKind.MISSING})], job=plain)))


def test_a_path_that_was_not_told_of_is_not_judged() -> None:
    assert not list(check_paths(subject([report()], job=recipe())))
    assert paths_to_ask(None, cluster()) == ()


def test_the_recipes_python_goes_before_the_hosts() -> None:
    host = cluster().hosts[0].model_copy(update={"python": "/host/python"})
    assert python_of(recipe(python="python3"), host) == "python3"
    assert python_of(recipe(), host) == "/host/python"
    assert python_of(recipe(), cluster().hosts[0]) == sys.executable


def test_relative_data_starts_from_the_recipe(tmp_path: Path) -> None:
    job = recipe(data=("data",), relative_to=str(tmp_path))
    assert str(tmp_path / "data") in paths_to_ask(job, cluster())


def test_devices_that_a_server_does_not_give_to_one_job_are_refused() -> None:
    old = cluster(devices=8, soc="Ascend910A")
    finding = only(check_placement, subject([report(devices=8)], old, recipe(3, framework=Framework.MINDSPORE)))
    assert finding.severity is Severity.REFUSE
    assert "1, 2, 4 or 8" in finding.expected
    assert not list(check_placement(subject([report(devices=8)], old, recipe(4))))


def test_ranks_of_a_plain_job_need_no_ring() -> None:
    old = cluster(devices=8, soc="Ascend910A")
    assert only(check_placement, subject([report(devices=8)], old, recipe(3))).severity is Severity.WARN


def test_ranks_start_outside_of_the_clusters_container() -> None:
    hosts = tuple(host.model_copy(update={"container": Container(image="cann:8")}) for host in cluster().hosts)
    finding = only(check_container, subject([report()], cluster().model_copy(update={"hosts": hosts})))
    assert finding.severity is Severity.WARN
    assert "cann:8" in finding.seen
    assert "plan RECIPE -o docker" in finding.remedy
    assert not list(check_container(subject([report()])))


def test_what_was_not_understood_is_quoted_in_one_line() -> None:
    odd = report(unread=(Unread("npu-smi info", "no table", "line one\n  line two " + "x" * 1000),))
    finding = only(check_unread, subject([odd]))
    assert finding.severity is Severity.WARN
    assert finding.seen.startswith("npu-smi info: no table: line one line two xxx")
    assert len(finding.seen) < 400
    assert finding.seen.endswith("…")


def test_hosts_without_npus_need_no_npu_smi() -> None:
    cpu = report(unread=(Unread("npu-smi", "it is not on the PATH"),), packages=packages(python="3.9.9"))
    assert not list(check_unread(subject([cpu], cluster(soc="CPU"))))
    assert list(check_unread(subject([cpu])))
