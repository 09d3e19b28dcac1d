"""The name of a server preset, as a spec gives it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from launcher.specs.fields import FilledText, Form, refuse
from launcher.specs.nearest import nearest
from launcher.specs.servers import SERVERS


def check_server(name: str) -> str:
    """A server that there is a preset of."""
    if name in SERVERS:
        return name
    close = nearest(name, SERVERS)
    known = f"did you mean {close}?" if close else f"it knows {', '.join(SERVERS)}"
    raise refuse(f"is no server that npu-launch knows; {known}")


ServerName = Annotated[
    FilledText,
    AfterValidator(check_server),
    Form("a server such as atlas-800t-a2", {"enum": list(SERVERS)}),
]
