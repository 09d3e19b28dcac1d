"""How what is called over ssh answers: with one line of JSON on standard output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TextIO

from launcher.errors import ExitCode, NpuLaunchError

Answer = Mapping[str, object]


def reply(work: Callable[..., Awaitable[Answer]]) -> None:
    """Do the work that the command line asks for, with its arguments, and answer; an error is `{"error": TEXT}`."""

    async def done() -> Answer:
        return await work(*sys.argv[1:])

    code = ExitCode.OK
    try:
        answer = asyncio.run(done())
    except NpuLaunchError as error:
        answer, code = {"error": str(error)}, error.exit_code
    print(json.dumps(answer, ensure_ascii=False))
    sys.exit(code)


def answers() -> TextIO:
    """Standard output for answers alone, line by line: what Ray prints goes to standard error from now on."""
    ours = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return ours
