"""The reference says what the models say."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from launcher.specs import Recipe
from launcher.specs.cluster_file import ClusterFile
from launcher.specs.reference import reference


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model that a value of this type may hold, itself included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for part in typing.get_args(annotation):
        yield from models_in(part)


def test_the_reference_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "specs.md"
    assert page.read_text("utf-8") == reference(), "run: python -m launcher.specs.reference > docs/specs.md"


@pytest.mark.parametrize("model", [*dict.fromkeys([*models_in(Recipe), *models_in(ClusterFile)])])
def test_every_section_of_a_spec_has_a_table(model: type[BaseModel]) -> None:
    assert f"\n\n{model.__doc__}\n\n| key | value |" in reference()


def test_a_default_shows_nothing_that_is_not_set() -> None:
    tables = "\n".join(line for line in reference().splitlines() if line.startswith("|"))
    assert re.findall(r"`{[^`]*: [,}][^`]*`|`{}`|`\(\)`|``", tables) == []
