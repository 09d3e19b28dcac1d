"""What is known of a run besides its logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from launcher.specs.frozen import FrozenMap


@dataclass(frozen=True)
class Context:
    """How a run ended and on what it ran; what is not known is None or missing.

    `soc` is the chip as specs name it ("Ascend910B3"). `versions` maps a package ("cann", "driver", "firmware",
    "torch_npu", "mindspore") to its version. `env` has what the ranks' environment set.
    """

    exit_code: int | None = None
    signal: int | None = None
    soc: str | None = None
    framework: str | None = None
    versions: Mapping[str, str] = field(default_factory=FrozenMap)
    env: Mapping[str, str] = field(default_factory=FrozenMap)
