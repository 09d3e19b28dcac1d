"""What a bundle is unpacked to lies below one folder, whatever its files are called."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from launcher.bundle.archive import packed, safe_name, write

hostile = st.lists(st.sampled_from(["..", ".", "", "a", "a'; echo", "\x1b[2J", "\n", "\udcff", "名"]), max_size=5)


@given(parts=hostile)
def test_no_name_leads_out_or_does_anything_to_a_terminal(parts: list[str]) -> None:
    name = safe_name("run/" + "/".join(parts))
    assert name == "run" or name.startswith("run/")
    assert ".." not in name.split("/")
    assert name.isprintable()
    assert name.encode()


def test_the_order_of_members_makes_no_difference() -> None:
    members = [("b", b"2"), ("a", b"1")]
    assert packed("run", members) == packed("run", reversed(members))


def test_any_tar_reads_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(packed("run", [("日志/a b.log", b"text")]))) as archive:
        (member,) = archive.getmembers()
        assert member.name == "run/日志/a b.log"
        file = archive.extractfile(member)
        assert file is not None and file.read() == b"text"


def test_a_file_that_was_there_is_replaced_whole_and_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    link = tmp_path / "ticket.tar.gz"
    link.symlink_to(outside)
    write(link, b"new")
    assert outside.read_bytes() == b"mine"
    assert link.read_bytes() == b"new"
    assert not link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "ticket.tar.gz"]
