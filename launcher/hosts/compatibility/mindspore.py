"""Which CANN a MindSpore needs, and which Python it has wheels for."""

from __future__ import annotations

from typing import Final

from launcher.hosts.compatibility.answer import Answer, Verdict
from launcher.hosts.compatibility.drivers import with_its_driver
from launcher.hosts.compatibility.ordering import Version, is_version, without_alpha

SOURCE: Final = "mindspore-ai/docs, release_list_en.md"
_CHECK_SOURCE: Final = "MindSpore 2.10.0, run_check/_check_version.py"
_WHEEL_SOURCE: Final = "MindSpore, installation guide"

# The CANN that each release was made for, newest first.
MINDSPORE_CANN: Final = {
    "2.6.0": "8.1.RC1",
    "2.6.0-rc1": "8.1.RC1",
    "2.5.0": "8.0.0",
    "2.4.10": "8.0.0",
    "2.4.1": "8.0.RC3",
    "2.4.0": "8.0.RC3",
    "2.3.1": "8.0.RC2",
    "2.3.0": "8.0.RC2",
    "2.3.0-rc2": "8.0.RC1",
    "2.3.0-rc1": "8.0.RC1",
    "2.2.14": "7.0.0",
    "2.2.13": "7.0.0",
    "2.2.12": "7.0.0",
    "2.2.11": "7.0.0",
    "2.2.10": "7.0.0",
    "2.2.1": "7.0.RC1.3",
    "2.2.0": "7.0.RC1",
    "2.1.1": "6.3.RC2.alpha005",
    "2.1.0": "6.3.RC2.alpha005",
    "2.0.0": "6.3.RC1.alpha003",
    "2.0.0-rc1": "6.3.RC1.alpha003",
    "2.0.0-alpha": "6.0.RC1.alpha005",
    "1.10.1": "6.0.1.alpha001",
    "1.10.0": "6.0.1.alpha001",
    "1.9.0": "6.0.RC1.alpha005",
    "1.8.1": "5.1.RC2.alpha008",
    "1.8.0": "5.1.RC2.alpha008",
    "1.7.1": "5.1.RC1",
    "1.7.0": "5.1.RC1",
    "1.6.1": "5.0.4",
    "1.6.0": "5.0.4",
    "1.5.2": "5.0.3",
    "1.5.1": "5.0.3",
    "1.5.0": "5.0.3",
    "1.3.0": "5.0.2",
}

# Those whose pair follows from the number of the Ascend solution, and stands in no table.
_BY_SOLUTION: Final = ("1.7.", "1.6.", "1.5.", "1.3.")

# What the releases check by themselves when they start: any CANN of these families.
MINDSPORE_ACCEPTS: Final = {"2.10.0": ("8.2", "8.3", "8.5", "9.0", "9.1")}

MINDSPORE_PYTHONS: Final = {(2, 6): ((3, 9), (3, 11))}


def mindspore_on(cann: str, mindspore: str) -> Answer:
    """Whether a MindSpore runs on a CANN."""
    if not is_version(cann):
        return _unknown(cann, mindspore)
    accepted = next((ok for name, ok in MINDSPORE_ACCEPTS.items() if Version(name) == Version(mindspore)), None)
    if accepted is not None:
        return _by_family(cann, mindspore, accepted)
    wanted = next((cann for name, cann in MINDSPORE_CANN.items() if Version(name) == Version(mindspore)), None)
    if wanted is None:
        return _unknown(cann, mindspore)
    why = f"MindSpore {mindspore} was made for CANN {wanted}"
    if Version(cann) == Version(wanted):
        verdict = Verdict.LIKELY if mindspore.startswith(_BY_SOLUTION) else Verdict.GOOD
        return Answer(verdict, why, SOURCE)
    if Version(without_alpha(cann)) == Version(without_alpha(wanted)):
        return Answer(Verdict.LIKELY, f"{why}; {cann} is the same release", SOURCE)
    return Answer(Verdict.DOUBTFUL, f"{why}, not for {cann}", SOURCE, _suggestion(cann, wanted))


def mindspore_on_python(mindspore: str, python: str) -> Answer:
    """Whether there is a wheel of a MindSpore for a Python; what is installed without one was built from source."""
    limits = MINDSPORE_PYTHONS.get(Version(mindspore).family)
    if limits is None or not is_version(python):
        return Answer(Verdict.UNKNOWN, f"nothing is known of MindSpore {mindspore} on Python {python}", _WHEEL_SOURCE)
    oldest, newest = (".".join(map(str, limit)) for limit in limits)
    if limits[0] <= Version(python).family <= limits[1]:
        return Answer(Verdict.GOOD, f"MindSpore {mindspore} has wheels for Python {oldest} to {newest}", _WHEEL_SOURCE)
    why = f"MindSpore {mindspore} has wheels for Python {oldest} to {newest}, not for {python}"
    return Answer(Verdict.DOUBTFUL, why, _WHEEL_SOURCE, f"use Python {newest}")


def _by_family(cann: str, mindspore: str, accepted: tuple[str, ...]) -> Answer:
    why = f"MindSpore {mindspore} accepts CANN {', '.join(accepted)}"
    if Version(cann).family in {Version(family).family for family in accepted}:
        return Answer(Verdict.GOOD, why, _CHECK_SOURCE)
    wanted = next((family for family in accepted if Version(family) > Version(cann)), accepted[-1])
    return Answer(Verdict.DOUBTFUL, f"{why}, not {cann}", _CHECK_SOURCE, f"install {with_its_driver(wanted)}")


def _suggestion(cann: str, wanted: str) -> str:
    fitting = next((name for name, made_for in MINDSPORE_CANN.items() if Version(made_for) == Version(cann)), None)
    other = f", or MindSpore {fitting}" if fitting is not None else ""
    return f"install {with_its_driver(wanted)}{other}"


def _unknown(cann: str, mindspore: str) -> Answer:
    newest, its_cann = next(iter(MINDSPORE_CANN.items()))
    return Answer(
        Verdict.UNKNOWN,
        f"nothing is known of MindSpore {mindspore} on CANN {cann}",
        SOURCE,
        f"see MindSpore's list of releases; the newest pair known is MindSpore {newest} on CANN {its_cann}",
    )
