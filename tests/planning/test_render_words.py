"""Any text of a plan means itself in every format that a plan is written out in."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from scripts import BASH, hostile_texts

from launcher.planning.model import Environment, RankProcess
from launcher.planning.rendering.quoting import remark, shell_word, yaml_scalar
from launcher.planning.rendering.words import Speller

lists_of_texts = st.lists(hostile_texts, min_size=1, max_size=30)


def understood(script: str) -> list[str]:
    """The words that bash makes of what is printed NUL by NUL."""
    done = subprocess.run([BASH, "-c", script], capture_output=True, timeout=20, check=True)
    assert not done.stderr
    return done.stdout.decode().split("\0")[:-1]


def rank(number: int, host: str = "a") -> RankProcess:
    files = {"cwd": "/", "log": "/log", "cann_log_dir": "/cann"}
    own = {"rank": number, "local_rank": number % 4, "slot": number % 4 + 4, "device": None, "device_node": None}
    return RankProcess(host=host, argv=(), env=Environment(), **own, **files)


@given(lists_of_texts)
@settings(max_examples=20, deadline=None)
def test_bash_reads_a_word_as_the_text_it_stands_for(texts: list[str]) -> None:
    words = [shell_word(text) for text in texts]
    assert understood("printf '%s\\0' " + " ".join(words)) == texts
    assert all(word.isprintable() for word in words)


@given(lists_of_texts)
@settings(max_examples=20, deadline=None)
def test_yaml_reads_a_scalar_as_the_text_it_stands_for(texts: list[str]) -> None:
    document = "\n".join(f"- {yaml_scalar(text)}" for text in texts)
    assert YAML(typ="safe", pure=True).load(document) == texts
    assert yaml.safe_load(document) == texts


@given(hostile_texts)
@settings(max_examples=20, deadline=None)
def test_a_remark_stays_on_its_line(text: str) -> None:
    assert remark(text).isprintable()


@given(st.lists(lists_of_texts, min_size=1, max_size=4), st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_one_word_for_all_ranks_means_each_rank_its_own_text(rows: Any, count: int) -> None:
    ranks = [rank(number) for number in range(count)]
    forms = ("{text}", "{text}{rank}", "{rank}.{local}/{device}", "{text}{local}-{text}")
    for form, row in zip(forms, rows, strict=False):
        texts = [filled(form, row[0], each) for each in ranks]
        cell = Speller().each(texts, ranks)
        assert spelled(cell, ranks) == texts


def filled(form: str, text: str, each: RankProcess) -> str:
    own = {"{rank}": str(each.rank), "{local}": str(each.local_rank), "{device}": str(each.slot), "{text}": text}
    for word, value in own.items():
        form = form.replace(word, value) if word != "{text}" else form
    return form.replace("{text}", text)


def spelled(cell: Any, ranks: Sequence[RankProcess]) -> list[str]:
    lines = []
    for each in ranks:
        word = cell.shared if cell.shared is not None else cell.own[each.rank]
        lines.append(f"rank={each.rank} local_rank={each.local_rank} device={each.slot}; printf '%s\\0' {word}")
    return understood("\n".join(lines))


def test_ranks_that_count_get_one_word() -> None:
    ranks = [rank(number) for number in range(8)]
    assert Speller().each([f"a b/{n}" for n in range(8)], ranks).shared == "'a b/'\"$rank\""
    assert Speller().each([f"{n % 4 + 4}" for n in range(8)], ranks).shared == '"$device"'
    assert Speller().each(["x"] * 7 + ["y"], ranks).own[7] == "y"


def test_what_is_known_later_is_written_as_a_variable() -> None:
    known = {"198.18.100.100": '"${addresses[0]}"', "198.18.100.101": '"${addresses[1]}"'}
    speller = Speller(known, marks=r"198\.18\.\d+\.\d+")
    assert speller.one("tcp://198.18.100.101:80 x") == "tcp://\"${addresses[1]}\"':80 x'"
    assert speller.one("198.18.100.102") == "198.18.100.102"
    assert speller.document('"198.18.100.100" $x `y` \\') == '"${addresses[0]}" \\$x \\`y\\` \\\\'


def test_the_address_of_a_ranks_own_host_is_one_word() -> None:
    speller = Speller({"1.1.1.1": "A", "2.2.2.2": "B"}, {"a": "1.1.1.1", "b": "2.2.2.2"}, marks="1.1.1.1|2.2.2.2")
    ranks = [rank(0, "a"), rank(1, "b")]
    assert speller.each(["1.1.1.1", "2.2.2.2"], ranks).shared == '"$address"'
    assert speller.each(["1.1.1.1", "1.1.1.1"], ranks).shared == "A"


def test_the_number_of_a_ranks_host_is_one_word() -> None:
    ranks = [rank(number, host) for number, host in enumerate("aabb")]
    assert Speller(places={"a": 0, "b": 1}).each(["0", "0", "1", "1"], ranks).shared == '"$node"'
