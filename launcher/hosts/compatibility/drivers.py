"""Which driver a CANN needs, and which firmware a driver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from launcher.hosts.compatibility.answer import Answer, Verdict
from launcher.hosts.compatibility.ordering import Version, is_version, without_alpha


@dataclass(frozen=True)
class Row:
    """The drivers that a source names for a CANN, oldest first; `26.0.x` is every 26.0 from the first on.

    `is_complete` when the source lists all that are supported, so that older ones are known not to be; `is_inferred`
    when no source has the pair, and it follows from how versions are numbered or from pairs that were seen. `also` are
    drivers of cards that number theirs in a way of their own.
    """

    cann: str
    drivers: tuple[str, ...]
    source: str
    is_complete: bool = False
    is_inferred: bool = False
    also: tuple[str, ...] = ()


_DEPLOYER: Final = "Ascend/ascend-deployer, downloader/software"
_INFERRED: Final = "numbering of the Ascend solutions"

CANN_DRIVERS: Final = (
    Row("9.0.0", ("26.0.RC1",), "Ascend/mind-cluster, release_notes.md", also=("1.0.RC1",)),  # of the Atlas 350
    Row("8.5.0", ("25.0.x", "25.2.x", "25.3.x", "25.5.x"), "CANN 8.5.0 release notes", is_complete=True),
    Row("8.3.RC1", ("25.3.RC1",), _DEPLOYER),
    Row(
        "8.2.RC1",
        ("24.1.RC2", "24.1.RC3", "24.1.0", "25.0.RC1", "25.2.0"),
        f"{_DEPLOYER}; MindIE 2.1.RC1 release notes",
    ),
    Row("8.1.RC1", ("25.0.RC1",), f"{_DEPLOYER}; MindFormers, installation.md"),
    Row("8.0.0", ("24.1.0",), "MindFormers, installation.md"),
    Row("8.0.RC3", ("24.1.RC3",), _INFERRED, is_inferred=True),
    Row("8.0.RC2", ("24.1.RC2",), "MindFormers, installation.md"),
    Row("8.0.RC1", ("24.1.RC1",), "MindCluster 6.0.RC1 release notes"),
    Row("7.0.1", ("23.0.0", "23.0.x"), "MindSDK 7.0.RC1 release notes"),
    Row("7.0.0", ("23.0.0", "23.0.x"), "MindSDK 7.0.RC1 release notes"),
    Row("6.3.RC3", ("23.0.RC3",), _INFERRED, is_inferred=True),
    Row("6.3.RC2", ("23.0.RC2",), _INFERRED, is_inferred=True),
    Row("6.3.RC1", ("23.0.RC1",), _INFERRED, is_inferred=True),
    Row("6.0.1", ("22.0.x",), _INFERRED, is_inferred=True),
    Row("6.0.RC1", ("22.0.x",), _INFERRED, is_inferred=True),
    Row("5.1.RC2", ("22.0.RC2",), "pairs seen in logs", is_inferred=True),
    Row("5.1.RC1", ("22.0.RC1",), "pairs seen in logs", is_inferred=True),
    Row("5.0.4", ("21.0.x",), "pairs seen in logs", is_inferred=True),
    Row("5.0.3", ("21.0.x",), "pairs seen in logs", is_inferred=True),
    Row("5.0.2", ("21.0.x",), "pairs seen in logs", is_inferred=True),
    *(Row(cann, ("20.2.x",), "pairs seen in logs", is_inferred=True) for cann in ("20.2.RC1", "20.1.RC1")),
)

_EE1015: Final = "ends in EE1015, driver version capability is insufficient"
_FIRMWARE: Final = "driver/version.info, compatible_version_fw"
_DRIVER: Final = "firmware/version.info, compatible_version_drv"


def compatible(cann: str, driver: str) -> Answer:
    """Whether a driver serves a CANN.

    A driver that a complete list leaves out below its oldest is known bad. One that is newer than all that are named is
    likely good: CANN works with newer drivers as a rule, which is an inference, and so is the rest.
    """
    row = _row(cann)
    if row is None or not is_version(driver):
        return _unknown(cann, driver)
    is_known = not row.is_inferred and Version(row.cann) == Version(cann)
    named = ", ".join(row.drivers)
    if _is_named(driver, row):
        why = f"CANN {row.cann} goes with driver {named}"
        return Answer(Verdict.GOOD if is_known else Verdict.LIKELY, why, row.source)
    suggestion = f"install driver {_nearest(driver, row)} and its firmware, which go with CANN {row.cann}"
    if Version(driver) < _lower_end(row.drivers[0]):
        why = f"driver {driver} is older than those for CANN {row.cann} ({named}), which {_EE1015}"
        return Answer(Verdict.BAD if is_known and row.is_complete else Verdict.DOUBTFUL, why, row.source, suggestion)
    is_newer = Version(driver) > _upper_end(row.drivers[-1])
    why = (
        f"driver {driver} is newer than those for CANN {row.cann} ({named}), which works as a rule"
        if is_newer
        else f"driver {driver} is not listed for CANN {row.cann}, but older and newer ones are ({named})"
    )
    return Answer(Verdict.LIKELY, why, row.source, f"if it does not work, {suggestion}")


def with_its_driver(cann: str) -> str:
    """A CANN to install, with the driver that has to move along: `CANN 8.1.RC1 (with driver 25.0.RC1)`."""
    row = _row(cann)
    return f"CANN {cann}" if row is None else f"CANN {cann} (with driver {row.drivers[-1]})"


def firmware_for_driver(firmware: str, ranges: tuple[str, ...]) -> Answer | None:
    """Whether a firmware is in a range that the driver's `version.info` names, such as `[7.0.0,7.2.99]`.

    None when the driver names no range that can be read. The last number of a limit covers what follows it:
    7.2.99.1 is within 7.2.99.
    """
    return _within("firmware", firmware, ranges, Verdict.BAD, _FIRMWARE)


def driver_for_firmware(driver: str, ranges: tuple[str, ...]) -> Answer | None:
    """Whether a driver is in a range that the firmware's `version.info` names, such as `[23.0.0,23.0.0.]`.

    None when it names no range that can be read. How these ranges are meant is documented nowhere, so that a driver
    outside of them is doubtful and no more.
    """
    return _within("driver", driver, ranges, Verdict.DOUBTFUL, _DRIVER)


def _within(what: str, version: str, ranges: tuple[str, ...], otherwise: Verdict, source: str) -> Answer | None:
    pairs = [(low, high) for text in ranges for low, high in _RANGE.findall(text)]
    if not pairs or not is_version(version):
        return None
    shown = ", ".join(f"{low} to {high}" for low, high in pairs)
    if any(Version(low) <= Version(version) and _is_at_most(version, high) for low, high in pairs):
        return Answer(Verdict.GOOD, f"{what} {version} is within {shown}", source)
    return Answer(
        otherwise, f"{what} {version} is not within {shown}", source, f"install {what} {pairs[-1][1]} or below"
    )


_RANGE = re.compile(r"\[?\s*([0-9][0-9A-Za-z.]*)\s*,\s*([0-9][0-9A-Za-z.]*)\s*\]?")


def _is_at_most(version: str, limit: str) -> bool:
    begins = limit.rstrip(".").lower()
    return Version(version) <= Version(limit) or version.lower() == begins or version.lower().startswith(f"{begins}.")


def _row(cann: str) -> Row | None:
    """The row of a CANN: its own, or that of the release which its alpha led to or which it mends (8.5.1 of 8.5.0)."""
    if not is_version(cann):
        return None
    wanted = Version(without_alpha(cann))
    family = (row for row in CANN_DRIVERS if Version(row.cann).family == wanted.family)
    return next((row for row in family if Version(row.cann) <= wanted), None)


def _is_named(driver: str, row: Row) -> bool:
    version = Version(driver)
    if any(Version(name) == version for name in row.also):
        return True
    return version >= _lower_end(row.drivers[0]) and any(
        Version(name[:-2]).family == version.family if name.endswith(".x") else Version(name) == version
        for name in row.drivers
    )


def _nearest(driver: str, row: Row) -> str:
    """The oldest driver of a row that is newer than this one, else its newest."""
    newer = (name for name in row.drivers if _lower_end(name) > Version(driver))
    return next(newer, row.drivers[-1])


def _lower_end(name: str) -> Version:
    return Version(f"{name[:-2]}.RC0") if name.endswith(".x") else Version(name)


def _upper_end(name: str) -> Version:
    return Version(f"{name[:-2]}.999999") if name.endswith(".x") else Version(name)


def _unknown(cann: str, driver: str) -> Answer:
    newest = CANN_DRIVERS[0]
    return Answer(
        Verdict.UNKNOWN,
        f"nothing is known of CANN {cann} with driver {driver}",
        "the tables of npu-launch",
        f"see CANN's release notes; the newest pair known is CANN {newest.cann} with driver {newest.drivers[-1]}",
    )
