"""ASCEND_RT_VISIBLE_DEVICES is honoured as CANN reads it, and refused where CANN would read something else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import UsageError
from launcher.hosts.visible import visible_devices
from launcher.specs import Device

EIGHT = tuple(Device(id=number) for number in range(8))


def test_on_a_host_with_all_its_npus_logical_ids_are_the_physical_ones() -> None:
    assert [device.id for device in visible_devices(EIGHT, "1,6")] == [1, 6]


def test_in_a_container_logical_ids_count_from_0_among_the_npus_that_it_has() -> None:
    assert [device.id for device in visible_devices(EIGHT[4:], "0,3")] == [4, 7]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("", "is empty"),
        ("1, 2", "first character that does not fit"),
        ("0-3", "first character that does not fit"),
        ("1,", "first character that does not fit"),
        ("npu0", "first character that does not fit"),
        ("1\n", "first character that does not fit"),
        ("٣", "first character that does not fit"),
        ("1" * 5000, "first character that does not fit"),
        ("2,1", "not ascending"),
        ("1,1", "not ascending"),
        ("0,8", "names 8, and there are 8 NPUs"),
    ],
)
def test_a_value_that_cannot_be_honoured_is_refused_with_the_reason_and_the_remedy(said: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong) as raised:
        visible_devices(EIGHT, said)
    assert "unset ASCEND_RT_VISIBLE_DEVICES" in raised.value.remedy
    assert "0 to 7" in raised.value.expected


@settings(max_examples=50)
@given(st.text("0123456789, -", max_size=8))
def test_what_is_taken_is_what_is_written_to_the_letter(said: str) -> None:
    try:
        found = visible_devices(EIGHT, said)
    except UsageError:
        return
    assert ",".join(str(device.id) for device in found) == said
