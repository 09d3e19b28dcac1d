"""Which run a name means, and what `ps` leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.cli.homes import unended
from launcher.cli.main import main
from launcher.cli.wording import cut, ranks_pattern
from launcher.errors import InfrastructureError, UsageError
from launcher.runs.store import all_runs, find_run
from tests.cli.conftest import Author


def test_a_beginning_that_fits_many_names_the_newest_first_and_counts_the_rest(author: Author) -> None:
    runs = [author.run("job", age=100 - number) for number in range(7)]
    newest = ", ".join(run.id for run in runs[:1:-1])
    with pytest.raises(UsageError, match=f"'job' fits 7 runs: {newest} and 2 more"):
        find_run("job")


def test_the_one_run_that_has_not_ended_is_preferred_where_asked_for(author: Author) -> None:
    alive = author.run("job", age=2000)
    author.succeeded("job")
    latest = author.succeeded("job")
    assert find_run(None, preferred=unended).id == alive.id
    assert find_run("job", preferred=unended).id == alive.id
    assert find_run(None).id == latest.id


def test_an_empty_name_is_no_beginning(author: Author) -> None:
    author.succeeded()
    with pytest.raises(UsageError, match="name is empty"):
        find_run("")


def test_a_home_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").touch()
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path))
    with pytest.raises(InfrastructureError, match="NPU_LAUNCH_HOME"):
        all_runs()


def test_ps_shows_the_last_20_and_counts_the_older(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(22):
        author.succeeded("训" * 40)
    assert main(["ps"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 21
    assert err == "… 2 older: npu-launch ps --all\n"
    assert main(["ps", "--all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 23


def test_a_text_is_cut_by_cells() -> None:
    assert cut("训练训练", 5) == "训练…"
    assert cut("abcdef", 5) == "abcd…"


def test_a_pattern_names_only_the_ranks_it_is_given() -> None:
    assert [ranks_pattern(ranks) for ranks in ([1], range(8), [0, 2, 3])] == ["1", "{0..7}", "{0,{2..3}}"]
