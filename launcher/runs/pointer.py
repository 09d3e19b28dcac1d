"""Where a run lives whose record is on another host: what is left of it on the machine that launched it.

It is `at` in the run's manifest (run.json): the name of the host, which is in the run's cluster.yaml, the interpreter
there that has npu-launch, and NPU_LAUNCH_HOME there.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from launcher.runs.store import RunDirectory, home, write_file


class At(BaseModel):
    """The host on which a run lives, and how npu-launch is called there."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    host: str
    python: str
    home: str

    @property
    def command(self) -> tuple[str, ...]:
        """What npu-launch's Python is started by there."""
        return ("env", f"NPU_LAUNCH_HOME={self.home}", self.python)


def pointed_at(run: RunDirectory) -> At | None:
    """Where a run lives according to its manifest; None for one that lives where its folder is."""
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
    _write(directory, {**manifest, "at": at.model_dump()})
    return directory


def move(run: RunDirectory, at: At | None) -> None:
    """Note that a run lives on another host now, or (None) where its folder is. Raises InfrastructureError."""
    manifest = _manifest(run)
    manifest.pop("at", None)
    _write(run, manifest if at is None else {**manifest, "at": at.model_dump()})


def _manifest(run: RunDirectory) -> dict[str, Any]:
    try:
        found = json.loads(run.layout.run.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(run: RunDirectory, manifest: dict[str, Any]) -> None:
    write_file(run.layout.run, json.dumps(manifest, ensure_ascii=False) + "\n")
