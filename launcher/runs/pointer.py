"""Where a run on several hosts lives: for the machine that launched it, and for those that share its home.

It is `at` in the run's manifest (run.json): the name of the host, which is in the run's cluster.yaml, the interpreter
there that has npu-launch, and NPU_LAUNCH_HOME there. Beside the record itself it has the host's `machine` too.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from launcher.runs.home import home, write_file
from launcher.runs.store import RunDirectory


class At(BaseModel):
    """The host on which a run lives, and how npu-launch is called there.

    `machine` is what that host calls itself, where this was read beside the run's record; None on other machines.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    host: str
    python: str
    home: str
    machine: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether the run's record is in its place on this machine, which is the one that it lives on."""
        return self.machine == os.uname().nodename

    @property
    def command(self) -> tuple[str, ...]:
        """What npu-launch's Python is started by there."""
        return ("env", f"NPU_LAUNCH_HOME={self.home}", self.python)


def here(host: str) -> At:
    """This machine, which is this host of a cluster."""
    return At(host=host, python=sys.executable, home=str(home()), machine=os.uname().nodename)


def pointed_at(run: RunDirectory) -> At | None:
    """Where a run lives according to its manifest; None for one that has always lived where its folder is."""
    try:
        return At.model_validate(_manifest(run).get("at"))
    except ValidationError:
        return None


def point(run: str, name: str, created: float, recipe_yaml: str, cluster_yaml: str, at: At) -> RunDirectory:
    """Note a run that lives elsewhere under its id there. Raises InfrastructureError when that cannot be written.

    Its folder may be there already: this machine is one of its hosts, or shares its home with them.
    """
    directory = RunDirectory(home() / "runs" / run)
    for path, text in ((directory.layout.recipe, recipe_yaml), (directory.layout.cluster, cluster_yaml)):
        if not path.exists():
            write_file(path, text)
    manifest = {"version": 1, "run": run, "name": name, "created": created, **_manifest(directory)}
    _write(directory, {"at": at.model_dump(exclude_none=True), **manifest})
    return directory


def move(run: RunDirectory, at: At) -> None:
    """Note that a run lives on this host now. Raises InfrastructureError."""
    _write(run, {**_manifest(run), "at": at.model_dump(exclude_none=True)})


def _manifest(run: RunDirectory) -> dict[str, Any]:
    try:
        found = json.loads(run.layout.run.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(run: RunDirectory, manifest: dict[str, Any]) -> None:
    write_file(run.layout.run, json.dumps(manifest, ensure_ascii=False) + "\n")
