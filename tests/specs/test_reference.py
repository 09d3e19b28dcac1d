"""The reference says what the models say."""

from pathlib import Path

from launcher.specs.reference import reference


def test_the_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "specs.md"
    assert page.read_text("utf-8") == reference(), "run: python -m launcher.specs.reference > docs/specs.md"
