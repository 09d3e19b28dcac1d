"""The rules that come with npu-launch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.diagnose.choosing import choose
from launcher.diagnose.finding import Category, Role
from launcher.diagnose.linting import lint
from launcher.diagnose.loading import OURS, rule_files, rulebook
from launcher.diagnose.matching import find, find_in_text
from launcher.logs.record import LogFile, Source

CAPTURES = Path(__file__).parent.parent / "captures/diagnose"
FAULTS = sorted(CAPTURES.glob("*.log"))
HEALTHY = sorted((CAPTURES / "healthy").glob("*.log"))


def test_every_rule_holds_in_its_examples_and_nothing_is_left_over() -> None:
    assert lint(rule_files(OURS)) == []


def test_every_cause_that_is_told_apart_has_a_rule_that_shows_it() -> None:
    book = rulebook()
    shown = {rule.cause for rule in book.rules.values()}
    wanted = set((CAPTURES / "causes.txt").read_text(encoding="utf-8").split())
    assert wanted <= set(book.causes)
    assert wanted - shown == {"healthy"}


def test_every_fault_has_suggestions() -> None:
    book = rulebook()
    assert [
        key for key, cause in book.causes.items() if not cause.suggestions and book.categories[key] is not Category.NONE
    ] == []


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_the_cause_is_found_with_the_change_that_mends_it(path: Path) -> None:
    cause, suggestion, _ = path.stem.split("--")
    book = rulebook()
    chosen = choose(find([LogFile(path, path.name, Source.STDOUT)], book))
    assert chosen is not None
    assert chosen.cause == cause
    assert suggestion in [each.id for each in book.suggestions_for(chosen)]


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.stem)
def test_a_healthy_log_shows_no_fault(path: Path) -> None:
    assert choose(find([LogFile(path, path.name, Source.STDOUT)], rulebook())) is None


def test_what_was_read_stands_in_explanations_and_suggestions() -> None:
    book = rulebook()
    path = CAPTURES / "device_oom--expandable_segments--fragmentation.log"
    chosen = choose(find([LogFile(path, path.name, Source.STDOUT)], book))
    assert chosen is not None
    explanation = book.explanation(chosen)
    assert "57.55 GiB" in explanation.en
    assert "57.55 GiB" in explanation.zh
    first = book.suggestions_for(chosen)[0]
    assert first.change == {"PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True"}


def test_own_growth_is_mended_by_the_micro_batch_with_the_same_global_batch() -> None:
    book = rulebook()
    path = CAPTURES / "device_oom--halve_micro_batch--own_growth.log"
    chosen = choose(find([LogFile(path, path.name, Source.STDOUT)], book))
    assert chosen is not None
    assert chosen.rank == 2
    first = book.suggestions_for(chosen)[0]
    assert first.change == {"knobs.micro_batch": "/2", "knobs.accumulation": "*2"}


def test_noise_never_suggests_anything() -> None:
    book = rulebook()
    noise = [
        rule for rule in book.rules.values() if rule.role is Role.NOISE and book.categories[rule.cause] is Category.NONE
    ]
    assert noise
    assert all(not book.causes[rule.cause].suggestions for rule in noise)


def test_a_cause_is_understood_in_other_words_too() -> None:
    book = rulebook()
    lines = (CAPTURES / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = []
    for line in lines:
        case = json.loads(line)
        chosen = choose(find_in_text(case["log"], book))
        category = Category.NONE if chosen is None else chosen.category
        if category is not book.categories[case["cause"]] or (chosen is not None and chosen.cause != case["cause"]):
            wrong.append((case["cause"], chosen and chosen.rule, case["log"]))
    assert len(lines) > 250
    assert wrong == []
