"""The Ray that connects the hosts of a cluster."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from launcher.specs.fields import FilledText, Form
from launcher.specs.spec import Part

DEFAULT_RAY_PORT: Final = 19700
RAY_PORTS: Final = 64  # that Ray has on a host, from its first port on

RayPort = Annotated[
    int,
    Field(ge=1024, le=65536 - RAY_PORTS),
    Form(f"a port from 1024 to {65536 - RAY_PORTS}, the first of {RAY_PORTS}"),
]


class RayTls(Part):
    """Certificates by which the parts of Ray know each other; the same paths on every host."""

    cert: FilledText = Field(description="The host's certificate (PEM).")
    key: FilledText = Field(description="Its private key (PEM), for nobody else to read.")
    ca: FilledText = Field(description="The certificate of who signed them (PEM).")


class Ray(Part):
    """Ray on the hosts of a cluster: npu-launch's own, or one that is there already."""

    port: RayPort = Field(
        default=DEFAULT_RAY_PORT,
        description=f"First of the {RAY_PORTS} ports that Ray listens on at every host; `npu-launch plan` lists them.",
    )
    address: FilledText | None = Field(
        default=None,
        description="`HOST:PORT` of a Ray that is there already and has the hosts as its nodes; default: npu-launch "
        "starts its own.",
    )
    token: FilledText | None = Field(
        default=None, description="File with that Ray's token, on the launching machine; default: it asks for none."
    )
    tls: RayTls | None = Field(
        default=None, description="Certificates for the traffic of Ray; default: none, and the token goes in the clear."
    )
