"""What CANN writes of a rank keeps its limit, and what tells of errors goes last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.rotated import Rotated, _has_errors, superfluous, trim_folder
from launcher.logs.sources import recognise

SIZE = 100_000
QUIET, ERROR = b"[INFO] GE(7,py):2026-01-02-03:04:05.678.901 x\n", b"[ERROR] GE(7,py):2026-01-02-03:04:05.678.901 x\n"


def write(folder: Path, name: str, line: bytes = QUIET) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(line + QUIET * (SIZE // len(QUIET)))
    os.utime(path, (1000, 1000))
    return path


def test_the_oldest_files_go_and_say_so(tmp_path: Path) -> None:
    run, debug = "run/plog/plog-7_20260102030400000.log", "debug/plog/plog-7_202601020304{}.log"
    files = [write(tmp_path, name) for name in (run, *(debug.format(f"0{n}000") for n in range(1, 6)))]
    other = write(tmp_path, "debug/plog/notes.txt")
    assert trim_folder(tmp_path, 10 * SIZE) == 0
    assert trim_folder(tmp_path, 5 * SIZE) >= 2 * SIZE
    gone = [path for path in files if path.stat().st_size < SIZE]
    assert gone == files[1:4]  # the newest of each log stays, be it the oldest of all
    assert {path.stat().st_mtime for path in gone} == {1000}
    assert gone[0].read_text().startswith("[npu-launch left out 1000") and gone[0].read_text().endswith(
        "them any more]\n"
    )
    assert other.stat().st_size > SIZE
    assert trim_folder(tmp_path, 5 * SIZE) == 0


def test_files_with_errors_go_last_and_the_first_of_them_never(tmp_path: Path) -> None:
    lines = (QUIET, ERROR, QUIET, ERROR, ERROR, QUIET)
    files = [write(tmp_path, f"plog-7_{number}.log", line) for number, line in enumerate(lines)]

    def left() -> list[int]:
        return [number for number, path in enumerate(files) if path.stat().st_size >= SIZE]

    trim_folder(tmp_path, 4 * SIZE + SIZE // 2)
    assert left() == [1, 3, 4, 5]
    trim_folder(tmp_path, 3 * SIZE + SIZE // 2)
    assert left() == [1, 3, 5]
    trim_folder(tmp_path, 0)
    assert left() == [1, 5]


@pytest.mark.parametrize(
    ("tells", "gone"),
    [
        ((False, True, None, None, None, False), [0]),  # the rest waits for the next turn
        ((True, True, None, None, None, False), [1]),  # something has to go, and of the others nothing is known
        ((None, None, None, None, None, False), []),
    ],
)
def test_files_that_there_was_no_time_to_look_at_stay(tells: Sequence[bool | None], gone: list[int]) -> None:
    made = [Rotated(Path(str(begun)), "a", begun, SIZE) for begun in range(len(tells))]
    assert [file.begun for file in superfluous(made, 10 * SIZE, lambda file: tells[file.begun])] == gone


def test_a_file_counts_as_free_of_errors_only_when_all_of_it_was_looked_at(tmp_path: Path) -> None:
    assert _has_errors(write(tmp_path, "plog-7_1.log"), deadline=0.0) is None
    assert _has_errors(tmp_path / "unreadable", deadline=0.0)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside.log")
    cann = tmp_path / "cann"
    cann.mkdir()
    (cann / "plog-7_1.log").symlink_to(outside)
    write(cann, "plog-7_2.log")
    trim_folder(cann, 0)
    assert outside.stat().st_size >= SIZE


@pytest.mark.parametrize("name", ["cann", "device-0"])
def test_a_file_that_was_freed_is_still_a_log_of_its_rank(tmp_path: Path, name: str) -> None:
    for number in range(2):
        write(tmp_path / name / "debug" / "plog", f"plog-7_2026010203040{number}000.log")
    before = [file.name for file in recognise(tmp_path).files]
    trim_folder(tmp_path, 0)
    assert [file.name for file in recognise(tmp_path).files] == before


FILES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(10_000, 50_000), st.booleans()), max_size=12)


@given(FILES, st.integers(0, 400_000))
def test_no_more_goes_than_has_to(files: list[tuple[str, int, bool]], excess: int) -> None:
    made = [Rotated(Path(str(begun)), log, begun, stored) for begun, (log, stored, _) in enumerate(files)]
    gone = list(superfluous(made, excess, lambda file: files[file.begun][2]))
    assert len(set(gone)) == len(gone)
    assert sum(file.stored for file in gone[:-1]) < max(excess, 1)
    stay = [file for file in made if file not in gone]
    for log in {file.log for file in made}:
        newest = max(file.begun for file in made if file.log == log)
        assert newest in [file.begun for file in stay]
        telling = [f.begun for f in made if f.log == log and files[f.begun][2] and f.begun != newest]
        assert not telling or min(telling) in [file.begun for file in stay]
    if sum(file.stored for file in gone) < excess:  # all went that may
        assert len(stay) <= 2 * len({file.log for file in made})
