"""The texts that an expression cannot match without."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.diagnose.required import is_telling, required
from launcher.diagnose.wanted import wanted


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        (r"Tried to allocate (?P<tried>\S+)", ("Tried to allocate ",)),
        (r"\bEI0006\b", ("EI0006",)),
        (r"halMemAlloc|halMemCreate", ("halMemAlloc", "halMemCreate")),
        (r"[Dd]evicemalloc", ("Devicemalloc", "devicemalloc")),
        (r"\d+(?:segfault|stackoverflow)\d+", ("segfault", "stackoverflow")),
        (r"(?:optional)? \d+ telling", (" telling",)),
        (r"lettersx?[0-9]", ("letters",)),
        (r"lettersx+y", ("lettersx",)),
        (r"a{3}\[class\]\)tail", ("[class])tail",)),
        (r"[^x]{1,3}(?=ahead)", ()),
        (r"\w+ error", ()),
        (r"telling|\d+", ()),
        (r"sync(?: wait)? ends?", ("sync wait ends", "sync wait end", "sync ends", "sync end")),
        (r"stream (?:is )?(?:lost|\d+)", ()),
        (r"\bE[EHZ]9999\b", ("EE9999", "EH9999", "EZ9999")),
        (r"is (?:null|empty)", ("is null", "is empty")),
    ],
)
def test_only_what_has_to_occur_is_required(expression: str, texts: tuple[str, ...]) -> None:
    assert required(expression) == texts


_PIECES = st.sampled_from(
    [
        "socket",
        r"\d+",
        "[ab]c",
        "(?:left|right hand)",
        "(?:maybe)?",
        r"\[tag\]",
        ".*",
        "x{0,2}",
        "heartbeat+",
        r"\bTLS\b",
        "[^z]",
    ]
)


@given(
    st.lists(st.lists(_PIECES, min_size=1, max_size=5).map("".join), min_size=1, max_size=3).map("|".join), st.data()
)
def test_whatever_an_expression_matches_holds_one_of_its_texts(expression: str, data: st.DataObject) -> None:
    found = data.draw(st.from_regex(expression, alphabet=st.characters(codec="ascii", exclude_characters="\n")))
    texts = required(expression)
    matched = re.search(expression, found)
    assert matched is not None
    assert not texts or any(text in matched[0] for text in texts)


@pytest.mark.parametrize("text", ["err", " error ", "timeout", "[ERROR]", "0x1"])
def test_short_and_everyday_words_are_not_worth_looking_for(text: str) -> None:
    assert not is_telling(text)


def test_a_phrase_is_found_as_it_stands_and_an_expression_reads_its_groups() -> None:
    assert wanted("a.c[d]").find("x a.c[d]") == (2, {})
    assert wanted(r"/size=(?P<size>\d+)(?P<more>x)?/").find("size=12") == (0, {"size": "12"})
    assert wanted("/OUT OF/i").find("out of memory") is not None
    with pytest.raises(ValueError, match="is no regular expression"):
        wanted("/brackets(/").names()
