"""Where ranks are is said in one sentence that names the odd ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.supervise.watch.stacks import (
    Frame,
    RankStack,
    Thread,
    group,
    in_full,
    parse_faulthandler,
    parse_py_spy,
    where,
)

CAPTURES = Path(__file__).parents[2] / "captures" / "py_spy"
STDLIB = "/usr/lib/python3.11"
SITE = "/opt/venv/lib/python3.11/site-packages"

REDUCE = Frame("all_reduce", "/job/train.py", 41)
LOAD = Frame("load_batch", "/job/data.py", 88)
MAIN = Frame("<module>", "/job/train.py", 90)


def at(rank: int, *frames: Frame, state: str = "S") -> RankStack:
    return RankStack(rank, 100 + rank, state, "python", threads=(Thread("MainThread", frames, is_main=True),))


def test_the_odd_rank_of_eight_is_named() -> None:
    stacks = [at(rank, REDUCE, MAIN) for rank in range(8) if rank != 3]
    found = group([*stacks, at(3, LOAD, MAIN, state="T")])
    assert (
        found.words == "ranks 0-2,4-7 in all_reduce (train.py:41); rank 3 stopped (SIGSTOP) in load_batch (data.py:88)"
    )
    assert found.odd == (3,)


def test_a_rank_that_is_held_where_all_are_is_odd_too() -> None:
    assert group([at(0, REDUCE), at(1, REDUCE, state="T"), at(2, REDUCE)]).odd == (1,)


def test_when_some_are_held_only_they_are_odd_wherever_the_others_are() -> None:
    others = [at(0, REDUCE), at(1, REDUCE), at(2, MAIN), at(4, REDUCE)]
    assert group([*others, at(3, LOAD, state="T"), at(5, REDUCE, state="t")]).odd == (3, 5)
    assert group([*others, at(3, LOAD, state="D")]).odd == (2, 3)


def test_when_all_are_in_one_place_none_is_odd() -> None:
    found = group([at(rank, REDUCE) for rank in range(4)])
    assert (found.words, found.odd) == ("ranks 0-3 in all_reduce (train.py:41)", ())


def test_ranks_scattered_over_many_places_do_not_make_a_long_sentence() -> None:
    found = group([at(rank, Frame(f"f{rank}", "/job/train.py", rank)) for rank in range(64)])
    assert found.words.endswith("; ranks 4-63 elsewhere")


def test_calls_of_the_interpreter_are_passed_over() -> None:
    wait = Frame("Condition.wait", f"{STDLIB}/threading.py", 320)
    frozen = Frame("_call_with_frames_removed", "<frozen importlib._bootstrap>", 241)
    assert where(at(0, wait, frozen, REDUCE, MAIN)) == "in all_reduce (train.py:41)"
    assert where(at(0, wait)) == "in Condition.wait (threading.py:320)"


def test_a_librarys_call_is_told_with_the_line_that_made_it() -> None:
    step = Frame("_executor_run", f"{SITE}/mindspore/common/api.py", 1004)
    assert where(at(0, step, MAIN)) == "in _executor_run (mindspore/common/api.py:1004) from <module> (train.py:90)"


def test_the_line_of_a_comprehension_belongs_to_the_function_around_it() -> None:
    assert where(at(0, Frame("wait.<locals>.<genexpr>", "/job/train.py", 40), REDUCE)) == "in all_reduce (train.py:41)"


def test_a_program_that_is_not_python_is_told_by_its_name() -> None:
    stack = RankStack(0, 7, "S", "solver", "do_nanosleep", problem="it is not Python")
    assert where(stack) == "in solver (no Python stack, waiting in do_nanosleep)"
    assert where(RankStack(0, 7, "D", "solver", "nfs_wait")).startswith("waiting in the kernel in solver")


def test_what_py_spy_prints_is_understood() -> None:
    threads = parse_py_spy((CAPTURES / "threads.json").read_text())
    assert [(thread.is_main, thread.frames[0].function, thread.frames[0].line) for thread in threads] == [
        (False, "main.<locals>.<lambda>", 4),
        (True, "load_batch", 2),
    ]
    stack = RankStack(0, 1, "S", "python", threads=threads)
    assert where(stack) == "in load_batch (w.py:2)"
    assert any(line.startswith("    Thread.run (") for line in in_full([stack]))


def test_what_faulthandler_writes_is_understood_among_other_lines() -> None:
    text = (CAPTURES / "faulthandler.log").read_text()
    lines = ["epoch: 1 step: 1, loss is 0.5", *text.splitlines(), "scheduler: lost a worker"]
    threads = parse_faulthandler(lines)
    assert [(thread.is_main, len(thread.frames)) for thread in threads] == [(False, 4), (True, 3)]
    assert where(RankStack(0, 1, "X", threads=threads)) == "in load_batch (f.py:2)"
    assert parse_faulthandler(["nothing"]) == ()


@pytest.mark.parametrize("text", ["", "[1]", '[{"thread_name": "x"}]', "null", '[{"frames": null}]'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_py_spy(text)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from("STDRX")), max_size=20))
def test_every_rank_is_told_once(places: list[tuple[str, str]]) -> None:
    stacks = [at(r, Frame(name, f"/job/{name}.py", 1), state=state) for r, (name, state) in enumerate(places)]
    found = group(stacks)
    told = [
        rank
        for part in found.words.split("; ")
        if part
        for span in part.split()[1].split(",")
        for rank in range(int(span.split("-")[0]), int(span.split("-")[-1]) + 1)
    ]
    assert sorted(told) == list(range(len(places)))
    assert {r for r, (_, state) in enumerate(places) if state == "T"} <= set(found.odd)
