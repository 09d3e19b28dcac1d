"""What tests of scripts share: hostile texts, plans of this machine, bash, and what a rank says of itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan, RankProcess
from launcher.planning.place import Place
from launcher.specs import Cluster, Device, Host, Recipe, recipe_from_mapping

BASH = shutil.which("bash") or ""
SHELLCHECK = str(Path(sys.executable).with_name("shellcheck"))
HOSTILE = "a'; touch x #"

SCRIPT = """\
import json, os, sys
environ = [entry.decode() for entry in open("/proc/self/environ", "rb").read().split(b"\\0")[:-1]]
env = dict(entry.partition("=")[::2] for entry in environ)
sys.stdout.buffer.write(json.dumps({"argv": sys.argv[1:], "env": env, "cwd": os.getcwd()}).encode())
"""

NASTY = (
    *("'", '"', "\\", "\n", "\r", "\t", "$(touch x)", "`touch x`", "${HOME}", "$rank", "EOF", "RANKS", "RANK_TABLE"),
    *(
        "{{ x }}",
        "{% raw %}",
        "{/*",
        "#",
        " ",
        "",
        "*",
        "~",
        "-n",
        "--",
        "=",
        "!!",
        "é",
        "训练",
        "😀",
        "\u2028",
        "\x85",
    ),
    *(
        "\x1b[2J",
        "\x7f",
        "\ufeff",
        "{1,2}",
        "[0]=x",
        ",",
        "0",
        "1",
        "007",
        "<<EOF",
        "|",
        ">y",
        "&",
        "10.0.0.1",
        "1-2",
        "${x",
        "$((1",
        "x;y",
    ),
)
TEXTS = [form.replace("%", text) for text in NASTY for form in ("%", "a%b", "'%", "%'", "x=%")]
nasty = st.lists(st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
hostile_texts = nasty.map("".join)
# Names that bash has a use for itself, and those that the scripts use.
env_names = st.sampled_from(
    ["A", "UID", "IFS", "PATH", "RANDOM", "SHELLOPTS", "BASH_ENV", "rank", "variables", "command", "log", "_", "host"]
)


def plain(folder: Path, **more: Any) -> Recipe:
    """A plain recipe whose script says what it was given."""
    (folder / "say.py").write_text(SCRIPT)
    values = {"name": "job", "framework": "plain", "ranks": 2, "script": "say.py", "relative_to": str(folder)}
    return recipe_from_mapping(values | more)


def cpus(hosts: int = 1, each: int = 8, **more: Any) -> Cluster:
    members = (Host(name=f"host-{n}", address=f"10.0.0.{n + 1}", devices=each) for n in range(hosts))
    return Cluster(name="lab", soc="CPU", hosts=tuple(members), **more)


def npus(*ids: int, hosts: int = 1, soc: str = "Ascend910B3", **more: Any) -> Cluster:
    def devices(host: int) -> tuple[Device, ...]:
        return tuple(Device(id=id, ip=f"192.168.{id}.{host + 1}") for id in ids)

    members = (Host(name=f"host-{n}", address=f"10.0.0.{n + 1}", devices=devices(n)) for n in range(hosts))
    return Cluster(name="lab", soc=soc, hosts=tuple(members), **more)


def planned(recipe: Recipe, cluster: Cluster, folder: Path) -> LaunchPlan:
    return plan(recipe, cluster, Place.example(recipe, directory=str(folder / "runs"), python=sys.executable))


def bash(script: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASH, str(script), *arguments],
        cwd=script.parent,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def said(rank: RankProcess) -> dict[str, Any]:
    """What a rank wrote into its log."""
    answer: dict[str, Any] = json.loads(Path(rank.log).read_text())
    return answer


def complaints(*scripts: Path) -> str:
    """What shellcheck says, at its strictest."""
    return subprocess.run(
        [SHELLCHECK, "--severity=style", *map(str, scripts)], capture_output=True, text=True, timeout=120
    ).stdout
