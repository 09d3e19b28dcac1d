"""A host of a test with a run folder of its own at the same path as its home's: in a mount namespace, which needs root.

Run as a program, it is what answers there.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from launcher.supervise.link import LinkLost

Outcome = TypeVar("Outcome")


class FarHost:
    """One host; `run_folder` is `folder` there. As a HostLink it has the calls that gathering needs."""

    is_home = False

    def __init__(self, run_folder: Path, folder: Path, environment: dict[str, str]) -> None:
        self.calls: list[str] = []
        self.calls_until_lost = 1 << 30
        script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        self._process = subprocess.Popen(
            [
                *("unshare", "--mount", "sh", "-c", script, "sh", str(folder), str(run_folder)),
                *(sys.executable, "-m", "tests.supervise.gather.far_host"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        self._turn = threading.Lock()

    async def there(self, work: Callable[..., Outcome], *arguments: object) -> Outcome:
        if len(self.calls) >= self.calls_until_lost:
            raise LinkLost("the cable is out")
        self.calls.append(work.__name__)
        outcome, error = await asyncio.to_thread(self._call, work, arguments)
        if error is not None:
            raise error
        return outcome  # type: ignore[no-any-return]

    def _call(self, *call: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            pickle.dump(call, self._process.stdin)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def main() -> None:
    while True:
        try:
            work, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: tuple[Any, Exception | None]
        try:
            answer = (work(*arguments), None)
        except Exception as error:
            answer = (None, error)
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
