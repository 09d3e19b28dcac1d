"""A log that is there already is measured at a bounded cost."""

from pathlib import Path

import zstandard

from launcher.logs.metrics import reader_of
from launcher.logs.survey import survey


def write_log(path: Path, steps: int, filler: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(b"training: epochs: 1, steps per epoch: %d, batch per rank: 4, ranks: 1\n" % steps)
        for step in range(1, steps + 1):
            file.write(b"epoch: 1 step: %d, loss is %f\n%s" % (step, 1 / step, filler))


def test_a_small_log_is_read_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_log(log, 10)
    with log.open("ab") as file:
        file.write(b"epoch: 1 st")
    seen = survey(log, reader_of())
    assert (seen.progress.steps_done, seen.progress.first_loss, seen.progress.last_loss) == (10, 1.0, 0.1)
    assert seen.offset == log.stat().st_size - len(b"epoch: 1 st")


def test_of_a_large_log_head_and_tail_are_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_log(log, 1000, b"x" * 1000 + b"\n")
    seen = survey(log, reader_of(), budget=20_000)
    assert (seen.progress.total_steps, seen.progress.steps_done, seen.progress.first_loss) == (1000, 1000, 1.0)
    assert seen.offset == log.stat().st_size


def test_a_missing_log_says_nothing(tmp_path: Path) -> None:
    seen = survey(tmp_path / "none", reader_of())
    assert seen.offset == 0
    assert seen.progress.steps_done is None


def test_the_states_of_a_progress_bar_that_never_ends_its_line_are_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"\rtrain: 1%%|#| %d/99 [00:10<00:10, 1.00it/s]" % step for step in range(50)))
    seen = survey(log, reader_of())
    assert (seen.progress.steps_done, seen.progress.total_steps) == (48, 99)
    assert log.read_bytes()[seen.offset :].startswith(b"train: 1%|#| 49/99")


def test_a_log_that_was_compressed_says_what_it_said_before(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_log(log, 100)
    before = survey(log, reader_of())
    (tmp_path / "log.zst").write_bytes(zstandard.compress(log.read_bytes()))
    log.unlink()
    assert survey(log, reader_of()) == before


def test_of_a_log_whose_middle_was_given_back_the_rest_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_log(log, 10)
    head = log.stat().st_size
    with log.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"\nepoch: 1 step: 9, loss is nan\n")
    seen = survey(log, reader_of())
    assert seen.progress.first_loss == 1.0
    (sign,) = seen.health.signs.values()
    assert sign.offset == (1 << 20) + 1 > head
