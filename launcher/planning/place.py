"""What a plan needs to know that neither recipe nor cluster says: which run, where, on which ports."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from launcher.planning.model import HostEnvironment
from launcher.specs import Recipe

DEFAULT_HCCL_PORT: Final = 60000


def hccl_ports(base: int) -> range:
    """The 32 host ports that HCCL listens on, from its base port up (HCCL user guide, HCCL_IF_BASE_PORT)."""
    return range(base, base + 32)


def _is_absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError("must be an absolute path")
    return path


class Place(BaseModel):
    """One attempt of one run: its id, its directory, its ports."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)

    run: str = Field(min_length=1)
    directory: Annotated[str, AfterValidator(_is_absolute)] = Field(description="The run directory, on every host.")
    attempt: int = Field(default=1, ge=1)
    scheduler_port: int = Field(ge=1024, le=65535, description="Where ranks meet on the first host.")
    hccl_port: int = Field(default=DEFAULT_HCCL_PORT, ge=1024, le=65504, description="First port of HCCL on each host.")
    claims: Annotated[str, AfterValidator(_is_absolute)] | None = Field(
        default=None, description="Folder of the locks on each host, for all its users; None: nothing is claimed."
    )
    port_block: int | None = Field(default=None, description="First of the ports that the run has for itself.")
    python: str = Field(min_length=1, description="Interpreter for recipes that name none.")
    resume_from: str | None = None
    own_checkpoints: tuple[tuple[int, str], ...] = Field(
        default=(), description="(rank, checkpoint) of independent ranks that go on each from its own."
    )
    ranks: tuple[int, ...] | None = Field(default=None, description="Only these ranks are launched; None: all.")
    unavailable: tuple[tuple[str, int | None], ...] = Field(
        default=(), description="(host, device id) that get no rank; without an id, no device of the host does."
    )
    seats: tuple[tuple[str, int], ...] | None = Field(
        default=None, description="(host, device id) of each rank, for ranks that start beside others; None: chosen."
    )
    host_environments: tuple[HostEnvironment, ...] = Field(default=(), description="What set_env.sh leaves on hosts.")
    devices_there: tuple[tuple[str, tuple[int, ...]], ...] = Field(
        default=(), description="(host, ids of the NPUs that processes have there), where that is known."
    )
    near_cpus: tuple[tuple[str, int, tuple[int, ...]], ...] = Field(
        default=(), description="(host, device id, processors near to it) where that is known."
    )
    addresses: tuple[tuple[str, str, str | None], ...] = Field(
        default=(), description="(host, IP by which the others reach it, its interface with it), where that is known."
    )
    warnings: tuple[str, ...] = Field(default=(), description="What was doubtful when hosts were looked at.")

    @classmethod
    def example(cls, recipe: Recipe, *, directory: str = "/runs/RUN", python: str = "python3") -> Place:
        """A first attempt that nobody has launched, for looking at a plan."""
        return cls(run="RUN", directory=directory, scheduler_port=recipe.scheduler_port or 8118, python=python)
