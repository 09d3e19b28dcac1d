"""A log that is there already is measured at a bounded cost."""

from pathlib import Path

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
    seen = survey(log)
    assert (seen.progress.steps_done, seen.progress.first_loss, seen.progress.last_loss) == (10, 1.0, 0.1)
    assert seen.offset == log.stat().st_size - len(b"epoch: 1 st")


def test_of_a_large_log_head_and_tail_are_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_log(log, 1000, b"x" * 1000 + b"\n")
    seen = survey(log, budget=20_000)
    assert (seen.progress.total_steps, seen.progress.steps_done, seen.progress.first_loss) == (1000, 1000, 1.0)
    assert seen.offset == log.stat().st_size


def test_a_missing_log_says_nothing(tmp_path: Path) -> None:
    seen = survey(tmp_path / "none")
    assert seen.offset == 0
    assert seen.progress.steps_done is None
