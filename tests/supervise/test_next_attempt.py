"""Whether a home may start ranks again."""

from __future__ import annotations

from launcher.supervise.claims import Taken
from launcher.supervise.next_attempt import is_alone
from tests.supervise.simulation import cluster_of

NOTHING = Taken({}, frozenset())


def test_a_home_that_hears_of_none_of_its_other_hosts_may_be_cut_off_itself() -> None:
    assert is_alone(cluster_of(3, 2), {})
    assert not is_alone(cluster_of(3, 2), {"h2": NOTHING})


def test_of_two_hosts_the_one_that_does_not_answer_is_taken_for_lost() -> None:
    assert not is_alone(cluster_of(2, 2), {})
