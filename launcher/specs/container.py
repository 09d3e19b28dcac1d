"""The container that ranks run in."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field

from launcher.specs.fields import FilledText, Form, Size
from launcher.specs.spec import Part


class ContainerRuntime(str, Enum):
    """How a container gets its NPUs.

    `ascend`: by ascend-docker-runtime, from ASCEND_VISIBLE_DEVICES; `plain`: by explicit devices and mounts.
    """

    ASCEND = "ascend"
    PLAIN = "plain"


class ContainerChanges(Part):
    """What is different in the container of one host; the rest is as in that of the cluster."""

    image: FilledText | None = Field(default=None, description="Image with CANN and the framework.")
    runtime: Annotated[ContainerRuntime, Form("ascend or plain")] = Field(
        default=ContainerRuntime.PLAIN,
        strict=False,
        description="How the container gets its NPUs. ascend: ascend-docker-runtime, which the host must have; plain: "
        "each device, the driver and npu-smi are passed in by name.",
    )
    options: Annotated[tuple[FilledText, ...], Form("a list of texts")] = Field(
        default=(), strict=False, description="More options of `docker run`, each as one argument."
    )
    mounts: Annotated[tuple[FilledText, ...], Form("a list of texts")] = Field(
        default=(), strict=False, description="More folders to pass in, as `/on/host:/in/container[:ro]`."
    )
    shm_size: Size | None = Field(
        default=None, description="Size of the container's /dev/shm; default: that of the host, which it shares."
    )


class Container(ContainerChanges):
    """The container that the ranks of a host run in."""

    image: FilledText = Field(description="Image with CANN and the framework.")
