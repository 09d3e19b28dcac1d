"""The templates of what a plan is written out as."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from launcher.planning.rendering.quoting import quoted_word, remark, shell_word, yaml_scalar

if TYPE_CHECKING:
    from jinja2 import Environment


def fill_template(name: str, **values: object) -> str:
    """The text of a template of `launcher/templates` with these values.

    A name that has no value is an error, and no template reaches beyond its values.
    """
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    folder = files("launcher").joinpath("templates")
    environment = SandboxedEnvironment(
        loader=FunctionLoader(lambda wanted: folder.joinpath(wanted).read_text("utf-8")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        comment_start_string="{/*",  # "{#" is in "${#array[@]}"
        comment_end_string="*/}",
        autoescape=False,
        auto_reload=False,
    )
    environment.filters.update(q=shell_word, quoted=quoted_word, y=yaml_scalar, remark=remark)
    return environment
