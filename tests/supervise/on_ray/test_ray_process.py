"""A Ray that does not come up says why."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

# In a process of its own, because the end of Ray is the end of everything below the process that keeps it.
_KEEPER = """
import asyncio, json, os, sys
from pathlib import Path
from launcher.errors import InfrastructureError
from launcher.supervise.on_ray.ray_process import RayProcess
from launcher.supervise.on_ray.terms import Terms

async def main(directory, script, *ports):
    ray = RayProcess(Path(directory))
    terms = Terms((sys.executable, "-c", script), os.environ, ("127.0.0.1", 1), tuple(map(int, ports)))
    try:
        await ray.start(terms)
    except InfrastructureError as error:
        print(json.dumps([type(error).__name__, error.what]))
    finally:
        await ray.end()

asyncio.run(main(*sys.argv[1:]))
"""


def failure(directory: Path, script: str, *ports: int) -> tuple[str, str]:
    """The error, and what it says, of a `ray start` that is this script."""
    argv = [sys.executable, "-c", _KEEPER, str(directory), script, *map(str, ports)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    kind, what = json.loads(done.stdout)
    return kind, what


def test_last_words_are_passed_on(tmp_path: Path) -> None:
    _, what = failure(tmp_path, "raise SystemExit('no room today')")
    assert "no room today" in what


def test_another_version_than_the_heads_is_told_in_one_line(tmp_path: Path) -> None:
    metadata = {"ray_version": "2.9.3", "python_version": "3.9.1"}
    script = f"import ray._private.utils as utils; utils.check_version_info({metadata}, 'node here')"
    kind, what = failure(tmp_path, script)
    assert kind == "OtherVersion"
    assert what.startswith("the head has Ray 2.9.3 on Python 3.9.1, this host Ray ")
    assert what.endswith(f"Python {sys.version.split()[0]}")


def test_a_port_that_is_taken_is_told_with_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        kind, what = failure(tmp_path, "raise SystemExit('was started')", port)
    assert kind == "PortTaken"
    assert f"port {port}, which Ray needs, is taken by process {os.getpid()} " in what
