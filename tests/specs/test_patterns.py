"""A recipe's patterns are checked where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import SpecError
from launcher.specs import dump_yaml, load_recipe
from launcher.specs.patterns import GROUPS, any_of

RECIPE = "name: job\nframework: plain\nranks: 2\nscript: train.py\nmetrics:\n  - 'step (?P<step>\\d+)'\n"


def load(path: Path, *patterns: str) -> tuple[str, ...]:
    file = path / "r.yaml"
    file.write_text(RECIPE + "".join(f"  - '{pattern}'\n" for pattern in patterns))
    return load_recipe(file).metrics


def test_patterns_are_kept_as_they_are_written(tmp_path: Path) -> None:
    both = (r"step (?P<step>\d+)", r"loss=(?P<loss>\S+) lr=(?P<lr>\S+)")
    assert load(tmp_path, both[1]) == both
    recipe = load_recipe(tmp_path / "r.yaml")
    (tmp_path / "again.yaml").write_text(dump_yaml(recipe))
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_patterns_that_are_sound_one_by_one_are_so_together(tmp_path: Path) -> None:
    large = [rf"{letter}(?P<loss>[a-z]{{900}})" for letter in "abcdefghijklmnopqrs"]
    assert any_of((), load(tmp_path, *large)).search(b"s" + b"x" * 900) is not None
    with pytest.raises(SpecError, match="a list of 20 patterns at most"):
        load(tmp_path, *large, "one more (?P<loss>.)")


@pytest.mark.parametrize("group", GROUPS)
def test_every_metric_has_its_group(tmp_path: Path, group: str) -> None:
    assert len(load(tmp_path, rf"x(?P<{group}>\d+)")) == 2


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("loss=(?P<loss>", "is no pattern of RE2: missing )"),
        (r"(?P<loss>\S+)(?=x)", "is no pattern of RE2: invalid perl operator: (?="),
        (r"(?P<loss>\S+) (?P=loss)", "is no pattern of RE2"),
        (r"(?P<los>\S+)", "has a group los, which is none of step"),
        (r"(?P<los>\S+)", "did you mean loss?"),
        (r"loss=(\S+)", "has no named group"),
        (r"(?P<loss>\d*)", "matches an empty line"),
        ("", "named groups"),
        ("x" * 1001, "named groups"),
        (r"(?P<loss>((a{900}){900}){900})", "is no pattern of RE2"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_at_its_line(tmp_path: Path, pattern: str, reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, pattern)
    assert reason in str(caught.value)
    assert f"{tmp_path / 'r.yaml'}:7:" in str(caught.value)
