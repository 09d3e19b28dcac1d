"""What changed between two plans, and what is not worth a word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from scripts import cpus, npus
from spec_strategies import jobs

from launcher.planning.compose import plan
from launcher.planning.difference import Change, Side, Subject, difference, render_difference
from launcher.planning.place import Place
from launcher.specs import Cluster, recipe_from_mapping


def side(cluster: Cluster | None = None, place: dict[str, Any] | None = None, **more: Any) -> Side:
    values = {"name": "job", "framework": "plain", "ranks": 8, "script": "train.py", "relative_to": "/home/me"}
    recipe = recipe_from_mapping(values | more)
    wanted = {"run": "job-1", "directory": "/runs/job-1", "scheduler_port": 8118, "python": "python3"} | (place or {})
    on = cluster or cpus()
    return Side(plan=plan(recipe, on, Place(**wanted)), recipe=recipe, cluster=on)


def of_ranks(changes: tuple[Change, ...]) -> list[tuple[str, str | None, str | None, tuple[int, ...]]]:
    return [(c.name, c.before, c.after, c.ranks) for c in changes if c.subject is Subject.RANKS]


ALL = tuple(range(8))


def test_a_variable_that_changed_is_said_once_for_all_ranks() -> None:
    changes = difference(side(env={"LR": "0.1"}), side(env={"LR": "0.2"}))
    assert of_ranks(changes) == [("env LR", "0.1", "0.2", ALL)]
    assert changes[0] == Change(subject=Subject.RECIPE, name="env.LR", before="0.1", after="0.2")
    assert render_difference(changes, "run job-1, attempt 1") == (
        "changed since run job-1, attempt 1\n  recipe     env.LR  0.1 -> 0.2\n  ranks 0-7  env LR  0.1 -> 0.2\n"
    )


@pytest.mark.parametrize("framework", ["plain", "mindspore", "pytorch", "tensorflow"])
@pytest.mark.parametrize("cluster", [npus(*range(8)), cpus()])
def test_ids_folders_attempts_and_ports_always_differ_and_are_not_said(framework: str, cluster: Cluster) -> None:
    checkpoint = {"dir": "{run_dir}/c", "resume_arg": "resume"}
    args = {"out": "{attempt_dir}/x", "run": "{run}"}
    then = side(cluster, framework=framework, checkpoint=checkpoint, args=args)
    other = {"run": "job-2b", "directory": "/elsewhere/job-2b", "scheduler_port": 9000, "hccl_port": 50000}
    again = {**other, "attempt": 3, "resume_from": "/elsewhere/job-2b/c/7.ckpt"}
    now = side(cluster, place=again, framework=framework, checkpoint=checkpoint, args=args)
    assert difference(then, now) == difference(now, then) == ()
    assert render_difference((), "run job-1, attempt 1") == "nothing has changed since run job-1, attempt 1\n"


def test_of_long_values_the_part_that_differs_is_shown() -> None:
    before, after = "x" * 300 + '"4"' + "y" * 300, "x" * 300 + '"0"' + "y" * 300
    change = Change(subject=Subject.PLAN, name="rank table", before=before, after=after)
    (line,) = render_difference((change,), "x").splitlines()[1:]
    assert '..."4"' in line.replace("x", "") and '..."0"' in line.replace("x", "")
    assert len(line) < 200


def test_a_port_that_the_recipe_names_is_said() -> None:
    cluster = npus(*range(8))
    changes = difference(side(cluster), side(cluster, env={"HCCL_IF_BASE_PORT": "50000"}))
    assert ("env HCCL_IF_BASE_PORT", None, "50000", ALL) in of_ranks(changes)


def test_options_are_told_apart_by_name_wherever_they_stand() -> None:
    changes = difference(side(args={"a": 1, "b": [1, 2]}), side(args={"c": True, "b": [1, 3], "a": 1}))
    assert of_ranks(changes) == [("--b", "1 2", "1 3", ALL), ("--c", None, "", ALL)]


def test_what_follows_a_ranks_number_is_said_once() -> None:
    changes = difference(side(cwd="/a/{rank}"), side(cwd="/b/{rank}/{local_rank}"))
    assert of_ranks(changes) == [("folder", "/a/{rank}", "/b/{rank}/{rank}", ALL)]


def test_ranks_that_came_or_went_are_one_line() -> None:
    assert of_ranks(difference(side(ranks=6), side(ranks=8)))[0] == ("rank", None, "on host-0", (6, 7))
    gone = difference(side(ranks=8), side(ranks=6))
    assert of_ranks(gone)[0] == ("rank", "on host-0", None, (6, 7))
    assert "  ranks 6-7  rank  gone: on host-0\n" in render_difference(gone, "x")


def test_only_the_ranks_that_moved_are_named() -> None:
    changes = difference(side(npus(0, 1), ranks=2), side(npus(0, 3), ranks=2))
    assert ("device", "1", "3", (1,)) in of_ranks(changes)
    assert [c.name for c in changes if c.subject is Subject.PLAN] == ["rank table"]
    assert [c.name for c in changes if c.subject is Subject.CLUSTER] == ["hosts.host-0.devices"]


def test_hosts_are_told_apart_by_name() -> None:
    changes = difference(side(cpus(hosts=2)), side(cpus(hosts=3)))
    assert {c.name.split(".")[1] for c in changes if c.subject is Subject.CLUSTER} == {"host-2"}


def test_a_change_drives_no_terminal() -> None:
    changes = difference(side(env={"A": "x"}), side(env={"A": "\x1b[2J\n"}))
    assert all(line.isprintable() for line in render_difference(changes, "\x1b").splitlines())


@given(jobs())
@settings(max_examples=15, deadline=None)
def test_a_plan_does_not_differ_from_itself(job: Any) -> None:
    recipe, cluster, place = job
    same = Side(plan=plan(recipe, cluster, place), recipe=recipe, cluster=cluster)
    assert difference(same, same) == ()
