"""Whether the software is the same on all hosts, and goes together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from launcher.hosts.compatibility import (
    Answer,
    Verdict,
    compatible,
    driver_for_firmware,
    firmware_for_driver,
    mindspore_on,
    mindspore_on_python,
    torch_npu_on,
    torch_npu_serves,
    torch_on_python,
)
from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import Package
from launcher.specs import Framework

# What has to be the same on all hosts, with how much it matters when it is not.
_SAME: Final = {
    "driver": ("driver", Severity.REFUSE),
    "firmware": ("firmware", Severity.WARN),
    "cann": ("CANN", Severity.REFUSE),
    "nnae": ("NNAE", Severity.WARN),
    "python": ("Python", Severity.WARN),
    "mindspore": ("MindSpore", Severity.REFUSE),
    "torch": ("torch", Severity.REFUSE),
    "torch_npu": ("torch_npu", Severity.REFUSE),
    "tensorflow": ("TensorFlow", Severity.REFUSE),
}
_OF_FRAMEWORK: Final = {
    Framework.MINDSPORE: ("mindspore",),
    Framework.PYTORCH: ("torch", "torch_npu"),
    Framework.TENSORFLOW: ("tensorflow",),
    Framework.PLAIN: (),
}
_FRAMEWORKS: Final = ("mindspore", "torch", "torch_npu", "tensorflow")


def check_versions(subject: Subject) -> Iterator[Finding]:
    """Packages that are missing, that differ between hosts, or that are not known to go together on a host."""
    packages = {host.name: report.packages for host, report in subject.reported}
    wanted = _wanted(subject)
    for name in wanted:
        yield from _missing(name, packages, subject)
        yield from _differing(name, packages, subject)
    if not subject.cluster.is_cpu:
        for host, report in subject.reported:
            yield from (finding.at(host.name) for finding in _misfits(report.packages, wanted))


def _wanted(subject: Subject) -> tuple[str, ...]:
    """The packages that matter: those of the recipe's framework, and CANN's where there are NPUs."""
    frameworks = _FRAMEWORKS if subject.recipe is None else _OF_FRAMEWORK[subject.recipe.framework]
    if subject.cluster.is_cpu:
        return ("python", *(name for name in frameworks if name != "torch_npu"))
    return ("driver", "firmware", "cann", "nnae", "python", *frameworks)


def _missing(name: str, packages: Mapping[str, Mapping[str, Package]], subject: Subject) -> Iterator[Finding]:
    """A framework that the recipe needs, on hosts whose Python answered; with a PYTHONPATH, it may be there."""
    if subject.recipe is None or name not in _FRAMEWORKS:
        return
    severity = Severity.WARN if "PYTHONPATH" in subject.recipe.env else Severity.REFUSE
    for host, found in packages.items():
        if "python" in found and name not in found:
            yield Finding(
                severity,
                Check.VERSIONS,
                f"{_SAME[name][0]} is not installed for {found['python'].source}",
                f"framework: {subject.recipe.framework.value} needs it",
                f"{found['python'].source} -m pip install {name.replace('_', '-')}, or python: /path/to/python",
                host,
            )


def _differing(name: str, packages: Mapping[str, Mapping[str, Package]], subject: Subject) -> Iterator[Finding]:
    """Hosts whose version is not that of the most; the hosts of a job have to agree with each other only."""
    label, severity = _SAME[name]
    versions = {host: found[name].version for host, found in packages.items() if name in found}
    counts = Counter(version for host, version in versions.items() if subject.is_used(host, None))
    if len(set(versions.values())) < 2 or not counts:
        return
    usual = max(counts, key=lambda version: (counts[version], version))  # of as many: any, but always the same
    for host, version in versions.items():
        if version != usual:
            # what one minor version of Python pickles, another cannot read
            is_other_python = name == "python" and _minor(version) != _minor(usual)
            yield Finding(
                subject.of_gang(Severity.REFUSE if is_other_python else severity),
                Check.VERSIONS,
                f"{label} is {version}",
                f"{usual}, as on {counts[usual]} of {counts.total()} hosts",
                f"install {label} {usual} there",
                host,
            )


def _misfits(packages: Mapping[str, Package], wanted: Collection[str]) -> Iterator[Finding]:
    """Pairs of packages on one host that are not known to go together."""
    for (one, other), judge in _PAIRS.items():
        if {one, other} <= packages.keys() and {one, other} <= set(wanted):
            answer = judge(packages[one], packages[other])
            severity = _severity(answer)
            if answer is not None and severity is not None:
                yield Finding(
                    severity,
                    Check.VERSIONS,
                    f"{answer.why} ({answer.verdict.value})",
                    "versions that are known to go together",
                    answer.suggestion,
                    source=answer.source,
                )


def _severity(answer: Answer | None) -> Severity | None:
    """None for what is good, and for what is likely to be and leaves nothing to mend."""
    if answer is None or (answer.verdict is Verdict.LIKELY and not answer.suggestion):
        return None
    return _SEVERITIES.get(answer.verdict)


def _unless_unknown(answer: Answer) -> Answer | None:
    return None if answer.verdict is Verdict.UNKNOWN else answer


_SEVERITIES: Final = {
    Verdict.BAD: Severity.REFUSE,
    Verdict.DOUBTFUL: Severity.WARN,
    Verdict.UNKNOWN: Severity.WARN,
    Verdict.LIKELY: Severity.NOTE,
}

# Which pairs are judged, and how. Of most wheels nobody says which Python they are for: that is no reason to speak.
_PAIRS: Final[Mapping[tuple[str, str], Callable[[Package, Package], Answer | None]]] = {
    ("cann", "driver"): lambda cann, driver: compatible(cann.version, driver.version),
    ("firmware", "driver"): lambda firmware, driver: firmware_for_driver(firmware.version, driver.compatible),
    ("driver", "firmware"): lambda driver, firmware: driver_for_firmware(driver.version, firmware.compatible),
    ("cann", "mindspore"): lambda cann, mindspore: mindspore_on(cann.version, mindspore.version),
    ("cann", "torch_npu"): lambda cann, torch_npu: torch_npu_on(cann.version, torch_npu.version),
    ("torch_npu", "torch"): lambda torch_npu, torch: torch_npu_serves(torch_npu.version, torch.version),
    ("mindspore", "python"): lambda mindspore, python: _unless_unknown(
        mindspore_on_python(mindspore.version, python.version)
    ),
    ("torch", "python"): lambda torch, python: _unless_unknown(torch_on_python(torch.version, python.version)),
}


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
