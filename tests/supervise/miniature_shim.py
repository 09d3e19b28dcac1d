"""A shim without everything but its children: starts or forks processes and waits for them, as told by JSON lines."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from launcher.supervise.shim.processes import adopt_orphans, start
from launcher.supervise.shim.warm import Template, TemplateError


class MiniatureShim:
    """Answers each request with one value."""

    def __init__(self) -> None:
        self._template: Template | None = None

    def template(self, processes: list[dict[str, Any]], environments: list[dict[str, str]], log: str) -> dict[str, Any]:
        try:
            self._template = template = Template(processes, environments, ["RANK_ID", "ATTEMPT"], log)
        except ValueError as error:
            return {"ready": False, "refusal": str(error)}
        pid = template.pid
        template.receive()
        return {"ready": template.is_ready, "refusal": template.refusal, "pid": pid}

    def obstacle(self, process: dict[str, Any], environment: dict[str, str]) -> str | None:
        assert self._template is not None
        return self._template.obstacle(process, environment)

    def fork(self, processes: list[dict[str, Any]], environments: list[dict[str, str]]) -> object:
        assert self._template is not None
        try:
            return self._template.fork(list(zip(processes, environments, strict=True)))
        except TemplateError as error:
            return {"error": str(error)}

    def start(self, processes: list[dict[str, Any]], environments: list[dict[str, str]]) -> list[int]:
        return [start(p, e, str(Path(p["log"]).parent)).pid for p, e in zip(processes, environments, strict=True)]

    def wait(self, pids: list[int]) -> list[int]:
        return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def main() -> None:
    adopt_orphans()
    shim = MiniatureShim()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(shim, request.pop("do"))(**request)), flush=True)


if __name__ == "__main__":
    main()
