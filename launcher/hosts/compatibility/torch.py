"""Which torch_npu goes with a torch and a CANN, and which Python a torch has wheels for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from launcher.hosts.compatibility.answer import Answer, Verdict
from launcher.hosts.compatibility.drivers import with_its_driver
from launcher.hosts.compatibility.ordering import Version, is_version, without_alpha

SOURCE: Final = "Ascend/pytorch, README: version matching"
_SEVERAL_SOURCE: Final = "Ascend Extension for PyTorch 7.2.0 release notes"


@dataclass(frozen=True)
class Release:
    """A torch_npu release line for a CANN: the wheel of torch_npu for each torch."""

    cann: str
    line: str
    wheels: dict[str, str]


def _release(cann: str, line: str, wheels: str) -> Release:
    return Release(cann, line, dict(pair.split(":", 1) for pair in wheels.split()))


RELEASES: Final = (
    _release(
        "9.1.0",
        "26.1.0",
        "2.12.0:2.12.0 2.11.0:2.11.0 2.10.0:2.10.0.post4 2.9.0:2.9.0.post6 2.7.1:2.7.1.post8",
    ),
    _release("9.0.0", "26.0.0", "2.9.0:2.9.0.post2 2.8.0:2.8.0.post4 2.7.1:2.7.1.post4"),
    _release("8.5.0", "7.3.0", "2.9.0:2.9.0 2.8.0:2.8.0.post2 2.7.1:2.7.1.post2 2.6.0:2.6.0.post5"),
    _release("8.3.RC1", "7.2.0", "2.8.0:2.8.0 2.7.1:2.7.1 2.6.0:2.6.0.post3 2.1.0:2.1.0.post17"),
    _release("8.2.RC1", "7.1.0", "2.6.0:2.6.0 2.5.1:2.5.1.post1 2.1.0:2.1.0.post13"),
    _release("8.1.RC1", "7.0.0", "2.5.1:2.5.1 2.4.0:2.4.0.post4 2.3.1:2.3.1.post6 2.1.0:2.1.0.post12"),
    _release("8.0.0", "6.0.0", "2.4.0:2.4.0.post2 2.3.1:2.3.1.post4 2.1.0:2.1.0.post10"),
    _release("8.0.RC3", "6.0.rc3", "2.4.0:2.4.0 2.3.1:2.3.1.post2 2.1.0:2.1.0.post8"),
    _release("8.0.RC2", "6.0.rc2", "2.3.1:2.3.1 2.2.0:2.2.0.post2 2.1.0:2.1.0.post6 1.11.0:1.11.0.post14"),
    _release("8.0.RC1", "6.0.rc1", "2.2.0:2.2.0 2.1.0:2.1.0.post4 1.11.0:1.11.0.post11"),
    _release("7.0.0", "5.0.0", "2.1.0:2.1.0 2.0.1:2.0.1.post1 1.11.0:1.11.0.post8"),
    _release("7.0.RC1", "5.0.rc3", "2.1.0:2.1.0.rc1 2.0.1:2.0.1 1.11.0:1.11.0.post4"),
    _release("6.3.RC3.1", "5.0.rc2.2", "1.11.0:1.11.0.post3"),
    _release("6.3.RC3", "5.0.rc2.1", "1.11.0:1.11.0.post2"),
    _release("6.3.RC2", "5.0.rc2", "2.0.1:2.0.1.rc1 1.11.0:1.11.0.post1 1.8.1:1.8.1.post2"),
    _release("6.3.RC1", "5.0.rc1", "1.11.0:1.11.0 1.8.1:1.8.1.post1"),
    _release("6.0.1", "3.0.0", "1.11.0:1.11.0.rc2 1.8.1:1.8.1 1.5.0:1.5.0.post8"),
    _release("6.0.RC1", "3.0.rc3", "1.8.1:1.8.1.rc3 1.5.0:1.5.0.post7"),
    _release("5.1.RC2", "3.0.rc2", "1.8.1:1.8.1.rc2 1.5.0:1.5.0.post6"),
    _release("5.1.RC1", "3.0.rc1", "1.8.1:1.8.1.rc1 1.5.0:1.5.0.post5"),
    _release("5.0.4", "2.0.4", "1.5.0:1.5.0.post4"),
    _release("5.0.3", "2.0.3", "1.5.0:1.5.0.post3"),
    _release("5.0.2", "2.0.2", "1.5.0:1.5.0.post2"),
)

# The source has post4 in its table and post3 in its README: both were released for CANN 8.0.RC1.
_ALSO: Final = {("8.0.RC1", "2.1.0.post3")}

# Lines that run on every CANN of a range, each end included.
_WIDE_LINES: Final = frozenset({"6.0.0", "7.0.0", "7.1.0", "7.2.0"})
_WIDE_FROM, _WIDE_TO = Version("8.0.RC2"), Version("8.3.RC1")

# torch to the oldest and the newest Python that it has wheels for.
TORCH_PYTHONS: Final = {
    "1.11.0": ((3, 7), (3, 10)),
    "2.1.0": ((3, 8), (3, 11)),
    "2.2.0": ((3, 8), (3, 10)),
    "2.3.1": ((3, 8), (3, 11)),
    "2.4.0": ((3, 8), (3, 11)),
    "2.5.1": ((3, 9), (3, 11)),
    "2.6.0": ((3, 9), (3, 11)),
    "2.7.1": ((3, 9), (3, 13)),
    "2.8.0": ((3, 9), (3, 13)),
    "2.9.0": ((3, 10), (3, 13)),
    "2.10.0": ((3, 10), (3, 13)),
    "2.11.0": ((3, 10), (3, 14)),
    "2.12.0": ((3, 10), (3, 14)),
    "2.13.0": ((3, 10), (3, 14)),
}


def torch_npu_for(cann: str, torch: str) -> str | None:
    """The torch_npu wheel for a CANN and a torch; None when the table has none."""
    release = _release_of(cann)
    return None if release is None else release.wheels.get(_base(torch))


def torch_npu_serves(torch_npu: str, torch: str) -> Answer:
    """Whether a torch_npu is built for this torch: each wheel is for one, whose number it begins with.

    That it does not work with another patch release of the same torch is an inference.
    """
    if not is_version(torch_npu) or not is_version(torch):
        return Answer(Verdict.UNKNOWN, f"nothing is known of torch_npu {torch_npu} with torch {torch}", SOURCE)
    if _base(torch_npu) == _base(torch):
        return Answer(Verdict.GOOD, f"torch_npu {torch_npu} is built for torch {_base(torch)}", SOURCE)
    is_near = Version(torch_npu).family == Version(torch).family
    return Answer(
        Verdict.DOUBTFUL if is_near else Verdict.BAD,
        f"torch_npu {torch_npu} is built for torch {_base(torch_npu)}, not for {torch}",
        SOURCE,
        f"pip install torch=={_base(torch_npu)}",
    )


def torch_npu_on(cann: str, torch_npu: str) -> Answer:
    """Whether a torch_npu wheel runs on a CANN."""
    own = next((r for r in RELEASES if _is_wheel_of(r, torch_npu)), None)
    release = _release_of(cann)
    if release is not None and _is_wheel_of(release, torch_npu):
        return Answer(Verdict.GOOD, f"torch_npu {torch_npu} is the wheel for CANN {release.cann}", SOURCE)
    fitting = torch_npu_for(cann, torch_npu)
    remedies = [f"pip install torch-npu=={fitting}"] if fitting else []
    if own is None:
        why = f"nothing is known of torch_npu {torch_npu} on CANN {cann}"
        return Answer(Verdict.UNKNOWN, why, SOURCE, *remedies)
    if own.line in _WIDE_LINES and _WIDE_FROM <= Version(cann) <= _WIDE_TO:
        why = f"torch_npu {torch_npu} (line {own.line}) runs on CANN 8.0.RC2 to 8.3.RC1"
        return Answer(Verdict.GOOD, why, _SEVERAL_SOURCE)
    remedies.append(f"install {with_its_driver(own.cann)}")
    why = f"torch_npu {torch_npu} is the wheel for CANN {own.cann}, not for {cann}"
    return Answer(Verdict.DOUBTFUL, why, SOURCE, ", or ".join(remedies))


def torch_on_python(torch: str, python: str) -> Answer:
    """Whether there is a wheel of a torch for a Python; what is installed without one was built from source."""
    limits = TORCH_PYTHONS.get(_base(torch))
    if limits is None or not is_version(python):
        return Answer(Verdict.UNKNOWN, f"nothing is known of torch {torch} on Python {python}", SOURCE)
    oldest, newest = (".".join(map(str, limit)) for limit in limits)
    if limits[0] <= Version(python).family <= limits[1]:
        return Answer(Verdict.GOOD, f"torch {torch} has wheels for Python {oldest} to {newest}", SOURCE)
    why = f"torch {torch} has wheels for Python {oldest} to {newest}, not for {python}"
    return Answer(Verdict.DOUBTFUL, why, SOURCE, f"use Python {newest}")


def _base(version: str) -> str:
    """The release that a wheel's version begins with: 2.1.0 of 2.1.0.post8, 2.1.0rc1, 2.1.0+cpu."""
    match = re.match(r"[0-9]+(\.[0-9]+){0,2}", version)
    return match[0] if match else ""


def _release_of(cann: str) -> Release | None:
    wanted = Version(without_alpha(cann))
    return next((release for release in RELEASES if Version(release.cann) == wanted), None)


def _is_wheel_of(release: Release, torch_npu: str) -> bool:
    wheel = torch_npu.partition("+")[0]
    is_listed = any(Version(wheel) == Version(known) for known in release.wheels.values())
    return is_listed or (release.cann, wheel) in _ALSO
