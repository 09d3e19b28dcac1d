"""Which interpreter a host is to use, from what was seen of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launcher.hosts.provision.choice import Environment, Named, Release, choose, shortcomings
from launcher.hosts.provision.seen import Interpreter, Seen, Space, Version, read_seen

RELEASE = Release("aarch64", (3, 11, 7), "0.1.0", "c0de", {"ray": "2.60.0", "rich": "15.0.0"})
FIT = Interpreter("/opt/python", (3, 11, 2), "/usr/bin/python3.11", (), "0.1.0", "2.60.0", "c0de")
BARE = Seen(
    "Linux", "aarch64", "li", "/home/li/.npu-launch", "glibc 2.34", (2, 34), "1d", "", Space(1 << 40, "/"),
    frozenset(), None, "", (),
)  # fmt: skip


def with_candidate(version: Version, *lacks: str) -> Seen:
    return replace(BARE, candidates=(Interpreter("python3", version, "/usr/bin/python3.x", lacks),))


def test_a_named_interpreter_that_has_all_is_used() -> None:
    assert choose(replace(BARE, named=FIT), RELEASE) == Named(FIT)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"npu_launch": None}, "has no npu-launch"),
        ({"npu_launch": "0.0.9"}, "has npu-launch 0.0.9, and here it is 0.1.0"),
        ({"code": "other"}, "has npu-launch 0.1.0 of other code than here"),
        ({"ray": None}, "has no Ray, and here it is 2.60.0"),
        ({"ray": "2.50.0"}, "has Ray 2.50.0, and here it is 2.60.0"),
        ({"lacks": ("ssl", "zlib")}, "has no ssl and no zlib"),
    ],
)
def test_a_named_interpreter_that_lacks_something_is_not_and_says_what(change: dict[str, object], why: str) -> None:
    named = replace(FIT, **change)
    assert shortcomings(named, RELEASE) == why
    assert choose(replace(BARE, named=named), RELEASE) == Environment(RELEASE.name(None), None)


def test_a_host_without_python_gets_one() -> None:
    assert choose(BARE, RELEASE) == Environment(RELEASE.name(None), None)


def test_an_interpreter_of_our_minor_version_is_stood_on() -> None:
    base = "/usr/bin/python3.x"
    assert choose(with_candidate((3, 11, 2)), RELEASE) == Environment(RELEASE.name(base), base)


@pytest.mark.parametrize(("version", "lacks"), [((3, 10, 13), ()), ((3, 6, 15), ()), ((3, 11, 7), ("ssl",))])
def test_an_interpreter_of_another_version_or_without_its_library_is_not(
    version: Version, lacks: tuple[str, ...]
) -> None:
    assert choose(with_candidate(version, *lacks), RELEASE) == Environment(RELEASE.name(None), None)


def test_an_environment_that_is_there_is_used_whatever_it_stands_on() -> None:
    seen = replace(with_candidate((3, 11, 2)), environments=frozenset({RELEASE.name(None)}))
    assert choose(seen, RELEASE) == Environment(RELEASE.name(None), None)


def test_every_part_of_a_release_counts_in_its_name() -> None:
    others = (
        replace(RELEASE, machine="x86_64"),
        replace(RELEASE, python=(3, 11, 8)),
        replace(RELEASE, code="other"),
        replace(RELEASE, distributions={"ray": "2.60.0", "rich": "15.0.1"}),
    )
    assert len({RELEASE.name("/usr/bin/python3"), *(one.name(None) for one in (RELEASE, *others))}) == 6


SAID = """\
system\tLinux
machine\taarch64
user\tli
home\t/data/li home/.npu-launch
libc\t{libc}
id\t0123
space\t/dev/mapper/data disk 1000 900 100 90% /data/li home
environment\t0011223344556677
named-problem\t/opt/python: No module named encodings
candidate\t/usr/bin/python3\t{{"version": [3, 9, 9], "base": "/usr/bin/python3.9", "lacks": [], \
"npu_launch": null, "ray": null, "code": null}}
"""


def test_what_a_host_says_is_read() -> None:
    seen = read_seen(SAID.format(libc="ldd (Ubuntu GLIBC 2.31-0ubuntu9.9) 2.31"))
    assert (seen.glibc, seen.space, seen.home) == ((2, 31), Space(102400, "/data/li home"), "/data/li home/.npu-launch")
    assert seen.environments == {"0011223344556677"}
    assert seen.candidates == (Interpreter("/usr/bin/python3", (3, 9, 9), "/usr/bin/python3.9"),)
    assert (seen.named, seen.named_problem) == (None, "/opt/python: No module named encodings")


@pytest.mark.parametrize("libc", ["musl libc (aarch64)", "sh: getconf: not found", "musl libc 1.2"])
def test_another_c_library_is_no_glibc(libc: str) -> None:
    assert read_seen(SAID.format(libc=libc)).glibc is None


def test_something_else_is_no_answer() -> None:
    with pytest.raises(ValueError, match="system"):
        read_seen("Welcome to node-a!\n")
