"""How the launcher logs in to a host."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from launcher.specs.fields import FilledText, Form
from launcher.specs.spec import Part

SshPort = Annotated[int, Field(ge=1, le=65535), Form("a port from 1 to 65535")]


class Ssh(Part):
    """How the launcher logs in to the hosts."""

    user: FilledText | None = Field(default=None, description="User to log in as; default: what ssh itself would use.")
    port: SshPort | None = Field(
        default=None, description="Port of the ssh server; default: what `~/.ssh/config` says, else 22."
    )
    key: FilledText | None = Field(default=None, description="Private key file; `~` is the launching user's home.")
    jump: FilledText | None = Field(
        default=None,
        description="Jump hosts on the way, as `ssh -J` takes them: `[user@]host[:port][,...]`; default: ProxyJump of "
        "`~/.ssh/config`.",
    )
    known_hosts: FilledText | None = Field(
        default=None, description="File with the hosts' keys; default: what `~/.ssh/config` says, else ssh's own."
    )
    config: FilledText | None = Field(
        default=None, description="Configuration file of ssh; default: `~/.ssh/config`; `none`: none."
    )
