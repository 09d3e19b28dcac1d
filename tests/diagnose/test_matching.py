"""Rules on logs: what has to stand where, and what is read out of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.diagnose.choosing import choose, most_telling
from launcher.diagnose.context import Context
from launcher.diagnose.finding import Finding
from launcher.diagnose.loading import rulebook
from launcher.diagnose.matching import MOST_ALIKE, find, find_in_text
from launcher.diagnose.rule import RuleFile
from launcher.diagnose.rulebook import Rulebook, merged
from launcher.logs.record import LogFile, Source

_SAID = {"title": {"en": "a", "zh": "b"}, "explanation": {"en": "a", "zh": "b"}}


def book(**rules: Mapping[str, Any]) -> Rulebook:
    """A rulebook of one cause, with these rules."""
    complete = {name: {"cause": "broken", **rule} for name, rule in rules.items()}
    return merged([RuleFile.model_validate({"category": "data", "causes": {"broken": _SAID}, "rules": complete})])


def found(text: str, rules: Rulebook, **more: Any) -> list[tuple[str, int]]:
    return [(finding.rule, finding.line) for finding in find_in_text(text, rules, **more)]


def test_all_and_any_stand_in_one_record_and_none_does_not() -> None:
    rules = book(r={"all": ["pump one", "stopped"], "any": ["leak", "dry run"], "none": ["on purpose"]})
    assert found("ERROR: pump one stopped, leak", rules) == [("r", 1)]
    assert found("ERROR: pump one stopped", rules) == []
    assert found("ERROR: pump one stopped, leak, on purpose", rules) == []
    assert found("ERROR: pump one leak\nERROR: stopped", rules) == []


def test_near_reaches_so_many_lines_and_no_further() -> None:
    rules = book(r={"any": ["pump stopped"], "near": ["valve closed"], "within": 3})
    assert found("valve closed\nx\nx\nERROR: pump stopped", rules) == [("r", 4)]
    assert found("ERROR: pump stopped\nx\nvalve closed", rules) == [("r", 1)]
    assert found("valve closed\nx\nx\nx\nERROR: pump stopped", rules) == []


def test_away_is_the_opposite_of_near() -> None:
    rules = book(r={"any": ["pump stopped"], "away": ["by hand"], "within": 2})
    assert found("by hand\nERROR: pump stopped", rules) == []
    assert found("by hand\nx\nx\nERROR: pump stopped", rules) == [("r", 4)]


def test_what_stands_near_is_evidence_and_is_read_too() -> None:
    rules = book(r={"any": ["/pump (?P<pump>\\d) stopped/"], "near": ["/valve (?P<valve>\\d) closed/"]})
    (finding,) = find_in_text("valve 3 closed\nERROR: pump 1 stopped", rules, name="x.log")
    assert finding.extracted == {"valve": "3", "pump": "1"}
    assert [(each.file, each.line, each.text) for each in finding.evidence] == [
        ("x.log", 2, "ERROR: pump 1 stopped"),
        ("x.log", 1, "valve 3 closed"),
    ]


def test_what_is_told_in_passing_is_no_fault_unless_the_rule_says_so() -> None:
    line = "[INFO] HCCL(1,python):2025-03-02-10:15:20.123.456 [a.cc:1]pump stopped"
    assert found(line, book(r={"any": ["pump stopped"]})) == []
    assert found(line, book(r={"any": ["pump stopped"], "level": ["INFO"]})) == [("r", 1)]
    assert found(line.replace("INFO", "ERROR"), book(r={"any": ["pump stopped"]})) == [("r", 1)]


def test_the_fields_of_a_record_can_be_asked_for() -> None:
    line = "[ERROR] HCCL(1,python):2025-03-02-10:15:20.123.456 [a.cc:1]pump stopped"
    assert found(line, book(r={"any": ["pump stopped"], "module": ["HCCL"]})) == [("r", 1)]
    assert found(line, book(r={"any": ["pump stopped"], "module": ["GE"]})) == []
    assert found(line, book(r={"any": ["pump stopped"], "source": ["plog"]}), source=Source.PLOG) == [("r", 1)]
    assert found(line, book(r={"any": ["pump stopped"], "source": ["plog"]})) == []


@pytest.mark.parametrize(
    ("when", "context", "holds"),
    [
        ({"exit_code": [137]}, Context(exit_code=137), True),
        ({"exit_code": [137]}, Context(exit_code=1), False),
        ({"signal": [9]}, Context(), False),
        ({"soc": ["Ascend910B"]}, Context(soc="Ascend910B3"), True),
        ({"soc": ["Ascend910B3"]}, Context(soc="Ascend910B3"), True),
        ({"soc": ["Ascend910"]}, Context(soc="Ascend910B3"), False),
        ({"framework": ["mindspore"]}, Context(framework="pytorch"), False),
        ({"versions": {"cann": "<8.0.RC2"}}, Context(versions={"cann": "8.0.RC1"}), True),
        ({"versions": {"cann": "<8.0.RC2"}}, Context(versions={"cann": "8.0.RC3"}), False),
        ({"versions": {"cann": "<8.0"}}, Context(versions={"cann": "6.3.RC2.alpha005"}), False),
        ({"versions": {"cann": "<8.0"}}, Context(), False),
    ],
)
def test_a_condition_on_the_run_is_fulfilled_only_by_what_is_known(
    when: dict[str, Any], context: Context, holds: bool
) -> None:
    rules = book(r={"any": ["pump stopped"], "when": when})
    assert bool(find_in_text("ERROR: pump stopped", rules, context)) is holds


def test_an_error_inside_a_traceback_is_told_with_its_own_line_and_rank() -> None:
    text = "\n".join(
        [
            "[rank1]: Traceback (most recent call last):",
            "[rank0]: step 3",
            '[rank1]:   File "a.py", line 1, in <module>',
            "[rank1]: OSError: pump stopped",
        ]
    )
    (finding,) = find_in_text(text, book(r={"any": ["pump stopped"]}))
    assert (finding.line, finding.rank) == (4, 1)


def test_a_storm_of_one_line_costs_no_more_than_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "storm.log"
    with path.open("w", encoding="utf-8") as file:
        for number in range(20_000):
            file.write(f"ERROR: pump {number} stopped\n")
        file.write("ERROR: valve 1 is broken\n")
    rules = book(r={"any": ["/pump (?P<pump>\\d+) stopped/"]}, v={"any": ["/valve (?P<valve>\\d+) is broken/"]})
    findings = find([LogFile(path, "storm.log", Source.STDOUT)], rules)
    assert MOST_ALIKE <= sum(finding.rule == "r" for finding in findings) < 1000
    assert [finding.line for finding in findings if finding.rule == "v"] == [20_001]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.sampled_from(["x" * 300, "step 1", "ERROR: pump 1 stopped", "ERROR: pump 2 stopped", "valve closed", ""]),
        max_size=120,
    )
)
def test_a_file_and_its_text_show_the_same(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("same") / "a.log"
    text = "".join(f"{line}\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    in_file = find([LogFile(path, "a.log", Source.STDOUT)], _PUMPS)
    in_text = find_in_text(text, _PUMPS, name="a.log")
    assert [(each.rule, each.evidence, each.extracted) for each in in_file] == [
        (each.rule, each.evidence, each.extracted) for each in in_text
    ]
    for finding in in_file:
        assert lines[finding.line - 1] == finding.evidence[0].text


_PUMPS = book(r={"any": ["/pump (?P<pump>\\d) stopped/"]}, n={"any": ["pump 2 stopped"], "near": ["valve closed"]})


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=400))
def test_no_bytes_are_fatal(content: bytes) -> None:
    find_in_text(content.decode(errors="surrogateescape"), rulebook())


def test_of_the_findings_in_one_line_the_heaviest_counts() -> None:
    rules = book(a={"any": ["pump stop"], "weight": 10}, b={"any": ["pump stopped"], "weight": 20, "role": "cascade"})
    findings = find_in_text("ERROR: pump stopped", rules)
    assert len(findings) == 2
    assert [finding.rule for finding in most_telling(findings)] == ["b"]


def test_a_root_outranks_what_follows_from_it_and_the_first_place_decides_between_equals() -> None:
    rules = book(
        late={"any": ["socket timeout"], "role": "cascade", "weight": 90},
        own={"any": ["/own error (?P<n>\\d)/"], "weight": 10},
        said={"any": ["worker failed"], "role": "confirmation", "weight": 99},
        calm={"any": ["never mind"], "role": "noise"},
    )
    chosen = choose(
        find_in_text("ERROR: socket timeout\nERROR: worker failed\nERROR: own error 1\nERROR: own error 2", rules)
    )
    assert isinstance(chosen, Finding)
    assert (chosen.rule, chosen.line) == ("own", 3)
    assert choose(find_in_text("ERROR: never mind", rules)) is None
    assert choose([]) is None
