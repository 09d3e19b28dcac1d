"""Has whoever supervises a run gather: `python -m launcher.supervise.gather.request RUN ATTEMPT BYTES`, at its home.

The answer is a line of JSON. ATTEMPT 0 is the latest.
"""

from __future__ import annotations

import sys
import time

from pydantic import BaseModel, ConfigDict

from launcher.errors import UsageError
from launcher.runs.home import home
from launcher.runs.store import RunDirectory
from launcher.supervise.converse import converse
from launcher.supervise.followed_record import settle
from launcher.supervise.gather.outcome import Gathered

_PATIENCE = 20.0  # seconds for a supervisor to take the request; one that waits for Ray does not
_PAUSE = 0.1  # seconds


class Answer(BaseModel):
    """The attempt that is meant, the hosts it is on, and what came of them; None when nobody supervises the run.

    For an attempt that the run has not there are no hosts.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    attempts: tuple[int, ...]
    attempt: int
    hosts: tuple[str, ...] = ()
    gathered: Gathered | None = None

    def refuse_unknown(self, run: str) -> None:
        """Raise UsageError for an attempt that the run has not."""
        if not self.attempts:
            raise UsageError(f"run {run} has not started yet", expected="an attempt, whose ranks were started")
        if self.attempt not in self.attempts:
            numbers = ", ".join(map(str, self.attempts))
            raise UsageError(f"run {run} has no attempt {self.attempt}", expected=f"one of {numbers}")


def request(run: RunDirectory, attempt: int, limit: int) -> Answer:
    """Have the evidence of an attempt (0: the latest) gathered at the run's home, which is here.

    `limit` is how many bytes of a host are kept. Returns when all has come, or cannot.
    """
    attempts = settle(run).attempts
    numbers = tuple(each.number for each in attempts)
    number = attempt or max(numbers, default=0)
    known = next((each for each in attempts if each.number == number), None)
    if known is None:
        return Answer(attempts=numbers, attempt=number)
    hosts = tuple(sorted(known.hosts))
    return Answer(attempts=numbers, attempt=number, hosts=hosts, gathered=_ask(run, number, limit))


def _ask(run: RunDirectory, attempt: int, limit: int) -> Gathered | None:
    message = {"op": "gather", "attempt": attempt, "limit": limit}
    deadline = time.monotonic() + _PATIENCE
    while run.is_supervised() and time.monotonic() < deadline:
        if said := converse(run.control_socket(), message, patience=None):
            return Gathered.model_validate_json(said)
        time.sleep(_PAUSE)
    return None


def main() -> None:
    """Entry point."""
    run, attempt, limit = sys.argv[1:]
    print(request(RunDirectory(home() / "runs" / run), int(attempt), int(limit)).model_dump_json())


if __name__ == "__main__":
    main()
