"""A launch plan as a bash script that does the same by hand."""

from __future__ import annotations

import math
import shlex
from pathlib import PurePosixPath

from launcher.planning.model import LaunchPlan, RankProcess
from launcher.planning.shared import shared_environment


def render_sh(plan: LaunchPlan) -> str:
    """One script for all hosts: on a plan of several, it takes the name of the host that it is run on."""
    from importlib.resources import files

    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["q"] = shlex.quote
    environment.filters["parent"] = lambda path: str(PurePosixPath(path).parent)
    template = environment.from_string(files("launcher").joinpath("templates/rank_loop.sh.j2").read_text("utf-8"))
    on_host: dict[str, list[RankProcess]] = {host: [] for host in plan.hosts}
    for rank in plan.ranks:
        on_host[rank.host].append(rank)
    return template.render(
        plan=plan,
        hosts=plan.hosts,
        on_host=on_host,
        grace=math.ceil(plan.grace),
        common=shared_environment(plan.ranks),
    )
