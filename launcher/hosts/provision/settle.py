"""Makes an environment ready and tries it: the part that runs on the host, under the interpreter it stands on.

The source of this module is given to `python -I -c` there, so it is one file, of the standard library alone. It answers
with one line of JSON: the versions that were found, why there are none, and which old environments were removed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

KEPT = 2  # environments, the newest
UNUSED_SECONDS = 7 * 24 * 3600.0  # before another may go: a host that shares the folder may run it
TRIAL_SECONDS = 120  # Ray from a file server, for the first time
TRIAL = """
import ctypes, importlib.metadata as metadata, json, ssl, sys
import paramiko, psutil, pydantic, ray
import launcher.errors
print(json.dumps({"npu-launch": metadata.version("npu-launch"), "ray": ray.__version__}))
"""


def settle(folder: str, name: str, new: str, base: str, minor: str) -> dict[str, Any]:
    """Put what was unpacked in `new` into its place, unless one that works is there; or try the one in its place.

    `base` is the interpreter that it stands on; `new` is empty where nothing was unpacked.
    """
    place = Path(folder, name)
    if new:
        try:
            problem = _install(Path(folder, new), place, Path(base), minor)
        finally:
            shutil.rmtree(Path(folder, new), ignore_errors=True)
        if problem:
            return {"problem": problem}
    found = trial(place)
    if "problem" not in found:
        os.utime(place)
        found["removed"] = remove_old(Path(folder), name)
    return found


def _install(new: Path, place: Path, base: Path, minor: str) -> str:
    """Try what is new where it lies, and then move it; the problem with it, if there is one."""
    _link(new, new / base.relative_to(place) if place in base.parents else base, minor)
    found = trial(new)
    if "problem" in found:
        return str(found["problem"])
    _link(new, base, minor)
    try:
        new.rename(place)
    except OSError:  # another push was first, or what is there is broken
        if "problem" in trial(place):
            broken = new.with_suffix(".old")
            place.rename(broken)
            shutil.rmtree(broken, ignore_errors=True)
            new.rename(place)
    return ""


def _link(environment: Path, base: Path, minor: str) -> None:
    """Have an environment stand on an interpreter."""
    config = f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {minor}\n"
    (environment / "pyvenv.cfg").write_text(config)
    for name, target in (("python", str(base)), ("python3", "python"), (f"python{minor}", "python")):
        link = environment / "bin" / name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(target)


def trial(place: Path) -> dict[str, Any]:
    """Start the environment's interpreter and import what everything needs."""
    try:
        done = subprocess.run(
            [place / "bin/python", "-I", "-c", TRIAL],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_SECONDS,
        )
        if done.returncode == 0:
            return dict(json.loads(done.stdout.decode().splitlines()[-1]))
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"problem": str(error)}
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return {"problem": said[-1] if said else f"it ended with {done.returncode}"}


def remove_old(folder: Path, kept: str) -> list[str]:
    """Remove environments but for the newest, those used lately, and those that run; and what pushes left behind."""
    old = sorted((path for path in folder.glob("[0-9a-f]*") if path.name != kept), key=_unused)
    removed = [path for path in old[KEPT - 1 :] if _unused(path) > UNUSED_SECONDS and not _runs(path)]
    left = [path for path in folder.glob(".*.*") if _unused(path) > UNUSED_SECONDS]
    for path in removed + left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return [path.name for path in removed]


def _unused(path: Path) -> float:
    """Seconds since it was used."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _runs(place: Path) -> bool:
    """Whether a process of this machine was started from an environment, as far as this user may see."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(f"{place}/") in path.read_bytes():
                return True
        except OSError:
            continue
    return False


def main(request: str) -> None:
    """Answer a request, a JSON object of the arguments of `settle`, with one line."""
    os.umask(0o077)
    sys.stdout.write(json.dumps(settle(**json.loads(request))) + "\n")
