"""A sweep shows which rank has which combination, and which came to what is best."""

from __future__ import annotations

import time

import pytest

from launcher.cli.documents import status_document
from launcher.cli.status_text import status_lines
from launcher.cli.summary import summary
from launcher.cli.sweeps import best
from launcher.cli.view import RunView, look
from tests.cli.conftest import Author, WrittenRun
from tests.cli.test_live import drawn

COMBINATIONS = [{"args.lr": lr, "args.seed": seed} for lr in (0.1, 0.01) for seed in (1, 2)]


def swept(author: Author, *results: tuple[float, float] | None, steps: int = 3) -> WrittenRun:
    """A sweep of four ranks that ended with these losses and accuracies; None for one that failed."""
    run = author.run("sweep", framework="plain")
    run.starts(gang=False, combinations=COMBINATIONS)
    for rank, result in enumerate(results):
        loss, accuracy = result or (9.0, 0.0)
        run.writes(rank, *(f"epoch: 1 step: {step}, loss is {loss}" for step in range(1, steps + 1)))
        if result:
            run.writes(rank, f"Eval result: epoch 1, metrics: {{'accuracy': {accuracy}}}")
    good = [rank for rank, result in enumerate(results) if result]
    bad = [rank for rank in range(4) if rank not in good]
    if good:
        run.exits(*good)
    if bad:
        run.exits(*bad, code=1)
    run.ends("failed" if bad else "succeeded")
    return run


def seen(run: WrittenRun) -> RunView:
    return look(run.directory, time.time())


def test_the_table_of_ranks_has_the_combination_and_the_accuracy_of_each(author: Author) -> None:
    lines = status_lines(seen(swept(author, (0.5, 0.8), (0.4, 0.9), (0.6, 0.7), (0.3, 0.85))))
    table = [" ".join(line.split()) for line in lines]
    assert "rank state where step loss step time accuracy combination" in table
    assert "3 succeeded node-a/3 3 0.3000 0.8500 lr=0.01 seed=2" in table


def test_the_summary_names_the_best_by_accuracy_and_by_loss(author: Author) -> None:
    lines = summary(seen(swept(author, (0.5, 0.8), (0.4, 0.9), (0.6, 0.7), (0.3, 0.85))))
    assert "  best    accuracy 0.9000: rank 1, lr=0.1 seed=2" in lines
    assert "          last loss 0.3000: rank 3, lr=0.01 seed=2" in lines
    assert not any(line.startswith("  metrics") for line in lines)
    assert "loss 0.5000" not in "\n".join(lines)  # that of one rank says nothing of the others


def test_only_ranks_that_ended_well_are_compared(author: Author) -> None:
    view = seen(swept(author, None, (0.4, 0.9), (0.6, 0.7), (0.3, float("nan"))))
    assert list(best(view)) == [
        "accuracy 0.9000: rank 1, lr=0.1 seed=2, of 3 ranks that ended well",
        "last loss 0.3000: rank 3, lr=0.01 seed=2, of 3 ranks that ended well",
    ]
    assert "cause   rank 0 (node-a, device 0; lr=0.1 seed=1) failed first: exit code 1" in "\n".join(summary(view))


def test_of_equals_the_first_is_named_and_nothing_where_nothing_is_told(author: Author) -> None:
    equals = seen(swept(author, (0.4, 0.9), (0.4, 0.9), (0.6, 0.7), (0.5, 0.9)))
    assert [line.split(",")[0] for line in best(equals)] == ["accuracy 0.9000: rank 0", "last loss 0.4000: rank 0"]
    assert list(best(seen(swept(author, None, None, None, None)))) == []
    assert list(best(seen(author.succeeded()))) == []


def test_the_live_view_has_the_combinations(author: Author) -> None:
    run = author.run("sweep", framework="plain")
    run.starts(gang=False, combinations=COMBINATIONS)
    assert any(line.rstrip().endswith("lr=0.01 seed=1") for line in drawn(seen(run)))


def test_programs_get_the_values_of_each_rank(author: Author) -> None:
    ranks = status_document(seen(swept(author, None, (0.4, 0.9), (0.6, 0.7), (0.3, 0.85))))["ranks"]
    assert [rank["combination"] for rank in ranks] == COMBINATIONS
    others = status_document(seen(author.succeeded()))["ranks"]
    assert {rank["combination"] for rank in others} == {None}


@pytest.mark.parametrize(
    ("ranks", "own", "told"),
    [
        ((2,), ("/c/2/7.ckpt",), "1 rank (2); from /c/2/7.ckpt"),
        ((1, 2), ("/c/1/7.ckpt", "/c/2/7.ckpt"), "2 ranks (1-2); from their own checkpoints"),
        ((1, 2), ("/c/2/7.ckpt",), "2 ranks (1-2); (1 of them from their own checkpoints)"),
    ],
)
def test_an_attempt_says_what_its_ranks_went_on_from(
    author: Author, ranks: tuple[int, ...], own: tuple[str, ...], told: str
) -> None:
    run = swept(author, (0.4, 0.9), None, None, (0.3, 0.8))
    run.starts(ranks, gang=False, combinations=COMBINATIONS, own_checkpoints=own)
    assert f"attempt 2  {told}" in status_lines(seen(run))
