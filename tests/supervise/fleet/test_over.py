"""Which runs are over, as a host is asked."""

from __future__ import annotations

import json
import sys

import pytest

from launcher.supervise.fleet import over
from tests.cli.conftest import Author


def test_runs_that_have_ended_are_over_and_those_without_a_record_are_not(
    author: Author,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = author.succeeded("old")
    runs = author.run("new")
    runs.starts()
    monkeypatch.setattr(sys, "argv", ["over", ended.id, runs.id, "never-0000"])
    over.main()
    assert json.loads(capsys.readouterr().out) == {"over": [ended.id]}
