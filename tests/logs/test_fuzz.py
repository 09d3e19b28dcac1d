"""Whatever bytes a log or an archive holds, nothing is lost and nothing breaks."""

from tests.logs.fuzzing import CHECKS, fuzz


def test_no_input_whatever_breaks_the_reading_of_logs() -> None:
    """The short form of `benchmarks/fuzz_logs.py`."""
    assert len(fuzz(seconds=20)) == len(CHECKS)
