"""Signals wait until somebody asks for them."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator

import pytest

from launcher.cli.interrupts import Interrupts


@pytest.fixture(autouse=True)
def hangups_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_signals_are_values() -> None:
    with Interrupts() as interrupts:
        assert interrupts.take() == set()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert select.select([interrupts.fd], [], [], 5)[0] == [interrupts.fd]
        assert interrupts.take() == {signal.SIGINT, signal.SIGTERM}
        assert interrupts.take() == set()


def test_what_was_set_before_is_set_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_nohup_had_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGHUP)
        assert interrupts.take() == set()


def test_a_flood_of_signals_is_no_error() -> None:
    with Interrupts() as interrupts:
        for _ in range(70_000):
            os.kill(os.getpid(), signal.SIGWINCH)
        assert interrupts.take() == {signal.SIGWINCH}
