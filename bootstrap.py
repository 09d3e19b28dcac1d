#!/usr/bin/env python3
"""Runs a command in this project's locked environment, making the environment first where it is not there yet.

    python3 bootstrap.py npu-launch recipes/resnext_8p.yaml
    python3 bootstrap.py pytest

Needs Python 3.10 to 3.12 and nothing else: uv, which reads the lock, is taken from PATH or installed into .bootstrap/,
and the environment is .venv/. Nothing outside this folder is changed but uv's download cache.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".bootstrap"
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / ".synced"
UV_VERSION = "0.13.8"
OLDEST_UV = (0, 7)  # that reads our uv.lock
PYTHONS = ("python3.12", "python3.11", "python3.10")


def main() -> None:
    """Make the environment what the lock says, then become the command."""
    command = sys.argv[1:]
    if not command:
        sys.exit(__doc__)
    synchronise()
    binaries = ENVIRONMENT / "bin"
    os.environ["VIRTUAL_ENV"] = str(ENVIRONMENT)
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"bootstrap: cannot run {command[0]}: {error}")


def synchronise() -> None:
    """Bring .venv to the state of uv.lock; does nothing when it is there already."""
    wanted = hashlib.sha256((ROOT / "uv.lock").read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    python = find_python()
    uv = find_uv(python)
    say("making the environment in .venv (about 1.2 GB, MindSpore is most of it)")
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}
    environment["UV_PROJECT_ENVIRONMENT"] = str(ENVIRONMENT)
    arguments = ["sync", "--quiet", "--frozen", "--extra", "mindspore", "--compile-bytecode", "--python", python]
    if subprocess.run([uv, *arguments], cwd=ROOT, env=environment).returncode:
        sys.exit("bootstrap: the environment could not be made, see above")
    STAMP.write_text(wanted)


def find_python() -> str:
    """An interpreter that MindSpore and Ray both support: this one, or one on PATH."""
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return sys.executable
    for name in PYTHONS:
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    sys.exit(f"bootstrap: Python 3.10, 3.11 or 3.12 is needed, this is {platform.python_version()}")


def find_uv(python: str) -> str:
    """uv from PATH, from an earlier time, by pip in a virtual environment, or as a bare wheel where there is no pip."""
    installed = TOOLS / "bin" / "uv"
    on_path = shutil.which("uv")
    if on_path and uv_version(on_path) >= OLDEST_UV:
        return on_path
    if installed.exists():
        return str(installed)
    say(f"installing uv {UV_VERSION} into .bootstrap")
    made = subprocess.run([python, "-m", "venv", "--clear", str(TOOLS)], capture_output=True)
    if made.returncode == 0:
        pip = [str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*pip, f"uv=={UV_VERSION}"]).returncode == 0:
            return str(installed)
    return unpack_uv(installed)  # Debian without python3-venv, for one


def uv_version(uv: str) -> tuple[int, ...]:
    """Its version as numbers; () when it does not run, as a shim of pyenv may not."""
    said = subprocess.run([uv, "--version"], capture_output=True, text=True).stdout
    match = re.match(r"uv (\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else ()


def unpack_uv(target: Path) -> str:
    """Download uv's wheel from PyPI, check its digest, and take the program out of it."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/uv/"
    wanted = re.compile(rf"uv-{re.escape(UV_VERSION)}-[^/#]*manylinux[^/#]*_{platform.machine()}\.whl#sha256=(\w+)")
    try:
        links = re.findall(r'href="([^"]+)"', fetch(index).decode())  # PEP 503: every index and mirror has this page
        link, digest = next((link, match[1]) for link in links if (match := wanted.search(link)))
        content = fetch(urllib.parse.urljoin(index, link))
    except (OSError, ValueError, StopIteration) as error:
        sys.exit(f"bootstrap: uv cannot be fetched from {index} ({error!r}); install it: https://docs.astral.sh/uv")
    if hashlib.sha256(content).hexdigest() != digest:
        sys.exit("bootstrap: uv arrived damaged; try again")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        target.write_bytes(archive.read(member))
    target.chmod(0o755)
    return str(target)


def fetch(url: str) -> bytes:
    """The body behind an https address."""
    with urllib.request.urlopen(url, timeout=300) as answer:
        return answer.read()


def say(text: str) -> None:
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
