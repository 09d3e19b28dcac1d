"""A bundle has what tells of a failure, within its size, and nothing that is the user's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.bundle.contents import Candidate, Part, choose, part_of


@pytest.mark.parametrize(
    ("name", "part"),
    (
        ("events.jsonl", Part.RECORD),
        ("attempts/1/plan.json", Part.RECORD),
        ("attempts/5/ranks/3/stdout.log", Part.FIRST_FAILURE),
        ("attempts/5/ranks/3/cann/debug/plog/plog-1_2.log", Part.FIRST_FAILURE),
        ("attempts/4/ranks/3/stdout.log", Part.RANKS),
        ("attempts/5/ranks/33/stdout.log", Part.RANKS),
        ("attempts/5/services/scheduler/stdout.log", Part.RANKS),
        ("attempts/5/ranks/1/cann/debug/plog/plog-1_2.log", Part.CANN),
        ("attempts/5/hosts/node-a/npu-smi.txt", Part.HOSTS),
        ("hosts/node-a/shim.jsonl", Part.HOSTS),
        ("attempts/2/ranks/3/stdout.log", None),  # too long ago
        ("supervisor.lock", None),
        ("attempts/5/template.log", None),
        ("notes/events.jsonl", None),
    ),
)
def test_every_file_is_what_it_is_for_the_search_of_a_cause(name: str, part: Part | None) -> None:
    assert part_of(name, latest=5, first_failure=3) is part


names = st.builds(
    "attempts/{}/{}".format,
    st.integers(1, 4),
    st.sampled_from(("plan.json", "ranks/0/stdout.log", "ranks/1/stdout.log", "ranks/1/cann/a.log", "hosts/a/b.txt")),
)


@settings(max_examples=50)
@given(sizes=st.dictionaries(names, st.integers(0, 1 << 32)))
def test_the_files_of_a_part_fit_into_its_room(sizes: dict[str, int]) -> None:
    chosen = choose([Candidate(name, size) for name, size in sizes.items()], latest=4, first_failure=0)
    assert [each.name for each in chosen] == sorted(each.name for each in chosen)
    for part in Part:
        assert sum(each.most for each in chosen if each.part is part) <= part.room
    assert all(each.most <= sizes[each.name] for each in chosen)
