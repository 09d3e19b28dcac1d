"""The shim's numbered events, in memory and on disk."""

from __future__ import annotations

import json
import os
import time
from typing import Any


class Journal:
    """Events of one host of one run, from the first that the run's record may not have yet.

    `after` is the last number in the record: the journal may have lost what the record has (a full disk, a power
    loss), so numbers go on from the record's, and of what the journal holds only its continuation counts.
    """

    def __init__(self, path: str, host: str, after: int) -> None:
        self.after = after
        self._host = host
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        whole = data[: data.rfind(b"\n") + 1]
        os.ftruncate(self._fd, len(whole))  # a last line without an end was torn
        self.lines = _continuation(whole.splitlines(keepends=True), after)
        self._unwritten = b""

    def append(self, **event: Any) -> None:
        """Number an event and keep it; what a full disk refuses is written, without a word, before anything newer.

        Without a word, because the shim's log lies on the same disk.
        """
        event = {name: value for name, value in event.items() if value is not None}
        event.update(host=self._host, host_seq=self.after + len(self.lines) + 1, time=time.time())
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        self.lines.append(line)
        self._unwritten += line
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]
        except OSError:
            return


def _continuation(lines: list[bytes], after: int) -> list[bytes]:
    """The lines numbered from `after` + 1 on without a gap; none when they cannot be told."""
    found = []
    for line in lines:
        try:
            number = int(json.loads(line)["host_seq"])
        except (ValueError, KeyError, TypeError):
            return []
        if number > after:
            found.append(line)
            if number != after + len(found):
                return []
    return found
