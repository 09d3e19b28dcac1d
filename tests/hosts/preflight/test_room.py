"""There has to be room on disk, in shared memory, and in the limits of the user."""

from __future__ import annotations

import os

import pytest

from launcher.hosts import probe
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.limits import check_limits
from launcher.hosts.preflight.space import check_space
from launcher.hosts.report import Filesystem
from launcher.specs import Framework
from tests.hosts.preflight.reports import cluster, only, recipe, report, subject

MB, GB = 1 << 20, 1 << 30
CPU = cluster(soc="CPU")


def disk(path: str, free: int, inodes: int | None = None) -> Filesystem:
    return Filesystem(path, 100 * GB, free, inodes)


@pytest.mark.parametrize("path", ["/home/me/runs", "/tmp", "/dev/shm"])
def test_plenty_of_room_is_not_spoken_of(path: str) -> None:
    assert not list(check_space(subject([report(filesystems=(disk(path, 50 * GB, 10**6),))])))


@pytest.mark.parametrize("path", ["/home/me/runs", "/tmp"])
def test_a_full_disk_is_refused(path: str) -> None:
    finding = only(check_space, subject([report(filesystems=(disk(path, 4096),))]))
    assert finding.severity is Severity.REFUSE
    assert "No space left: 4 KB of 100 GB" in finding.seen
    assert path in finding.remedy


def test_a_disk_that_logs_will_fill_is_a_warning_that_counts_the_ranks_of_the_host() -> None:
    little = [report(filesystems=(disk("/runs", GB + 300 * MB),))]
    assert only(check_space, subject(little)).severity is Severity.WARN
    assert "200 MB a rank" in only(check_space, subject(little)).expected
    assert not list(check_space(subject(little, job=recipe(ranks=1))))
    assert not list(check_space(subject(little, CPU)))


def test_shared_memory_of_a_container_is_a_warning_where_data_loaders_use_it() -> None:
    small = [report(filesystems=(disk("/dev/shm", 64 * MB),))]
    finding = only(check_space, subject(small, job=recipe(framework=Framework.PYTORCH)))
    assert finding.severity is Severity.WARN
    assert "--shm-size" in finding.remedy
    assert only(check_space, subject(small, CPU)).severity is Severity.WARN
    assert not list(check_space(subject(small, job=recipe())))


def test_a_disk_that_takes_few_files_more_is_a_warning() -> None:
    finding = only(check_space, subject([report(filesystems=(disk("/runs", 50 * GB, 12),))]))
    assert finding.severity is Severity.WARN
    assert "12 files more" in finding.seen


def test_a_disk_that_takes_no_file_more_is_full() -> None:
    finding = only(check_space, subject([report(filesystems=(disk("/runs", 50 * GB, 0),))]))
    assert finding.severity is Severity.REFUSE
    assert "No space left: 0 files more" in finding.seen


def test_a_file_system_that_does_not_count_files_has_room_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    values = (4096, 4096, 1000, 500, 400, 0, 0, 0, 0, 255)  # f_files is 0, as on btrfs
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
    assert probe.room("/runs") == {"total": 1000 * 4096, "free": 400 * 4096, "inodes": None}
    assert not list(check_space(subject([report(filesystems=(disk("/runs", 50 * GB, None),))])))


def test_wide_limits_are_not_spoken_of() -> None:
    wide = {"nofile": 65535, "nproc": None, "memlock": None, "stack": 8 * MB}
    assert not list(check_limits(subject([report(limits=wide)])))
    assert not list(check_limits(subject([report(limits={})])))


@pytest.mark.parametrize(
    ("name", "limit", "severity", "command"),
    [
        ("nofile", 1024, Severity.WARN, "ulimit -n 4240"),
        ("nproc", 1000, Severity.WARN, "ulimit -u 5120"),
        ("memlock", 65536, Severity.NOTE, "ulimit -l 65536"),
        ("stack", 1 * MB, Severity.WARN, "ulimit -s 8192"),
    ],
)
def test_a_narrow_limit_comes_with_the_command_that_widens_it(
    name: str, limit: int, severity: Severity, command: str
) -> None:
    finding = only(check_limits, subject([report(limits={name: limit})]))
    assert finding.severity is severity
    assert finding.remedy.startswith(command)


def test_the_usual_limits_suffice_on_a_cpu() -> None:
    usual = {"nofile": 1024, "nproc": 30000, "memlock": 65536, "stack": 8 * MB}
    assert not list(check_limits(subject([report(limits=usual)], cluster(devices=64, soc="CPU"))))
    assert only(check_limits, subject([report(limits={"nofile": 64})], CPU)).severity is Severity.WARN
