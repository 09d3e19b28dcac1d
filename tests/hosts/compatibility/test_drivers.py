"""Which driver serves a CANN, and which firmware a driver."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.hosts.compatibility import Verdict, Version, compatible, driver_for_firmware, firmware_for_driver
from launcher.hosts.compatibility.drivers import CANN_DRIVERS


def test_every_pair_of_the_table_is_good_or_inferred_and_names_its_source() -> None:
    for row in CANN_DRIVERS:
        for driver in row.drivers:
            answer = compatible(row.cann, driver.replace(".x", ".3"))
            assert answer.verdict is (Verdict.LIKELY if row.is_inferred else Verdict.GOOD), row
            assert answer.source == row.source
            assert not answer.suggestion


def test_the_table_is_newest_first_and_each_row_oldest_first() -> None:
    canns = [Version(row.cann) for row in CANN_DRIVERS if not row.cann.startswith("20.")]  # they came before 5.0
    assert canns == sorted(canns, reverse=True)
    for row in CANN_DRIVERS:
        drivers = [Version(name.replace(".x", "")) for name in row.drivers]
        assert drivers == sorted(drivers)


@pytest.mark.parametrize(
    ("cann", "driver", "verdict"),
    [
        ("8.5.0", "25.5.1", Verdict.GOOD),
        ("8.5.0", "25.0.rc1", Verdict.GOOD),
        ("8.5.0", "24.1.0", Verdict.BAD),  # the release notes list all that are supported
        ("8.2.RC1", "23.0.7", Verdict.DOUBTFUL),  # its list is put together from two sources
        ("9.0.0", "1.0.RC1", Verdict.GOOD),  # of the Atlas 350
        ("7.0.0", "23.0.RC3", Verdict.DOUBTFUL),  # 23.0.0 and later are listed
        ("7.0.0", "23.0.7", Verdict.GOOD),
        ("20.2.RC1", "20.2.2.spc001", Verdict.LIKELY),
        ("8.2.RC1", "25.0.1", Verdict.LIKELY),  # between two that are listed
        ("8.1.RC1", "24.1.0", Verdict.DOUBTFUL),  # one pair is known, which says little of others
        ("8.0.0", "25.0.RC1", Verdict.LIKELY),
        ("8.5.1", "24.1.0", Verdict.DOUBTFUL),  # judged by 8.5.0
        ("8.5", "24.1.0", Verdict.BAD),
        ("8.2.RC1.alpha003", "25.2.0", Verdict.LIKELY),
        ("6.3.RC2", "22.0.4", Verdict.DOUBTFUL),
        ("12.0.0", "30.0.0", Verdict.UNKNOWN),
        ("8.0.0", "built by hand", Verdict.UNKNOWN),
    ],
)
def test_what_is_known_of_a_pair(cann: str, driver: str, verdict: Verdict) -> None:
    answer = compatible(cann, driver)
    assert answer.verdict is verdict
    assert answer.is_inferred == (verdict in (Verdict.LIKELY, Verdict.DOUBTFUL))
    assert answer.source
    assert (verdict is Verdict.GOOD) != bool(answer.suggestion) or verdict is Verdict.LIKELY


def test_the_nearest_driver_is_suggested() -> None:
    assert "driver 25.0.x" in compatible("8.5.0", "24.1.0").suggestion
    assert "driver 24.1.RC2" in compatible("8.2.RC1", "23.0.7").suggestion
    assert "driver 24.1.0" in compatible("8.0.0", "25.5.0").suggestion


@pytest.mark.parametrize(
    ("firmware", "verdict"),
    [("7.1.0.11.220", Verdict.GOOD), ("7.2.99.1", Verdict.GOOD), ("7.3.0.1", Verdict.BAD), ("6.4.12", Verdict.BAD)],
)
def test_a_firmware_is_within_the_range_that_the_driver_names(firmware: str, verdict: Verdict) -> None:
    answer = firmware_for_driver(firmware, ("[7.0.0,7.2.99]",))
    assert answer is not None
    assert answer.verdict is verdict


def test_a_driver_outside_of_the_firmwares_ranges_is_doubtful_and_no_more() -> None:
    ranges = ("[23.0.rc3,23.0.rc3.]", "[23.0.0,23.0.0.]")
    assert [(a := driver_for_firmware(d, ranges)) and a.verdict for d in ("23.0.rc3", "23.0.0", "23.0.7")] == [
        *(Verdict.GOOD, Verdict.GOOD),
        Verdict.DOUBTFUL,
    ]


@pytest.mark.parametrize("ranges", [(), ("",), ("[]",), ("[V100R001C30]",), ("any",)])
def test_ranges_that_cannot_be_read_say_nothing(ranges: tuple[str, ...]) -> None:
    assert firmware_for_driver("7.1.0", ranges) is None


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=60)
def test_whatever_hosts_write_gets_an_answer(cann: str, driver: str) -> None:
    assert compatible(cann, driver).why
    firmware_for_driver(driver, (cann,))
