"""What is known of a run besides its logs, as the rules ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from launcher.diagnose.context import Context
from launcher.errors import NpuLaunchError
from launcher.hosts.reading.versions import read_version
from launcher.hosts.report import Package
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, FrozenMap, Recipe, load_cluster, load_recipe

_PACKAGES: Final = ("driver", "firmware", "toolkit", "cann")  # as the path of a version file names them
_VERSION_FILES: Final = ("version.info", "version.cfg", "ascend_toolkit_install.info")


def context_of(run: RunDirectory, attempt: int, recipe: Recipe | None) -> Context:
    """On what an attempt ran, with the environment of its first rank; what cannot be read is not known."""
    cluster = _cluster(run)
    return Context(
        soc=cluster.soc if cluster is not None else None,
        framework=recipe.framework.value if recipe is not None else None,
        versions=FrozenMap(_versions(run.layout.attempt(attempt).directory / "hosts")),
        env=FrozenMap(_environment(run.layout.attempt(attempt).plan)),
    )


def recipe_of(run: RunDirectory) -> Recipe | None:
    """The recipe that a run keeps; None where it cannot be read any more."""
    try:
        return load_recipe(run.layout.recipe)
    except (NpuLaunchError, OSError):
        return None


def _cluster(run: RunDirectory) -> Cluster | None:
    try:
        return load_cluster(run.layout.cluster)
    except (NpuLaunchError, OSError):
        return None


def _environment(plan: Path) -> Mapping[str, str]:
    with suppress(OSError, ValueError, LookupError, TypeError):
        return {str(name): str(value) for name, value in json.loads(plan.read_bytes())["ranks"][0]["env"].items()}
    return {}


def _versions(hosts: Path) -> Mapping[str, str]:
    """The versions that were gathered from the first host that has any: driver, firmware, cann."""
    found: dict[str, str] = {}
    for path in _version_files(hosts):
        name = next((name for name in _PACKAGES if f"/{name}/" in path.as_posix().lower()), None)
        with suppress(OSError, ValueError):
            package = read_version(path.read_text(errors="replace"), str(path))
            if name is not None and isinstance(package, Package):
                found.setdefault("cann" if name == "toolkit" else name, package.version)
    return found


def _version_files(hosts: Path) -> Iterator[Path]:
    with suppress(OSError):
        for host in sorted(hosts.iterdir()):
            for name in _VERSION_FILES:
                yield from sorted((host / "files").rglob(name))
