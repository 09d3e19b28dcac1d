"""An upgrade names packages and versions, and what has to move along."""

from __future__ import annotations

from launcher.diagnose.suggestion import SuggestionKind
from launcher.diagnose.upgrades import upgrades


def test_a_driver_that_is_too_old_moves_with_its_firmware() -> None:
    (found,) = upgrades({"cann": "8.5.0", "driver": "24.1.0"})
    assert found.kind is SuggestionKind.UPGRADE
    assert found.change["driver"].startswith("25.")
    assert "firmware" in found.change["with"]
    assert "cann" not in found.change
    assert "8.5.0" in found.why


def test_a_torch_npu_for_another_torch_names_the_torch_it_is_built_for() -> None:
    (found,) = upgrades({"torch_npu": "2.6.0.post3", "torch": "2.7.1"})
    assert found.change["torch"] == "2.6.0"


def test_a_mindspore_for_another_cann_moves_cann_and_driver_together() -> None:
    (found,) = upgrades({"mindspore": "2.5.0", "cann": "8.2.RC1"})
    assert found.change["cann"] == "8.0.0"
    assert found.change["driver"] == "24.1.0"
    assert "firmware" in found.change["with"]


def test_what_goes_together_or_is_not_known_needs_no_upgrade() -> None:
    assert not list(upgrades({"cann": "8.5.0", "driver": "25.2.0", "torch": "2.6.0"}))
    assert not list(upgrades({}))
