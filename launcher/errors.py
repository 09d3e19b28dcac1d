"""The one tree of errors; each says what, where, what was expected, and what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command's exit status means to scripts and schedulers."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    PREFLIGHT_REFUSED = 3
    INFRASTRUCTURE = 4
    GAVE_UP = 5
    INTERRUPTED = 130


class NpuLaunchError(Exception):
    """Root of the tree: a message for a person, in up to four parts, and the exit code that goes with it."""

    exit_code: ExitCode = ExitCode.INFRASTRUCTURE

    def __init__(self, what: str, *, where: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.expected:
            parts.append(f"  expected  {self.expected}")
        if self.remedy:
            parts.append(f"  remedy    {self.remedy}")
        return "\n".join(parts)


class SpecError(NpuLaunchError):
    """A recipe, a cluster spec or an override cannot be accepted."""

    exit_code = ExitCode.USAGE


class UsageError(NpuLaunchError):
    """The command line asks for something that does not exist or does not fit."""

    exit_code = ExitCode.USAGE


class PlanError(NpuLaunchError):
    """Recipe and cluster are each sound, but do not fit together."""

    exit_code = ExitCode.USAGE


class PreflightError(NpuLaunchError):
    """The hosts are not in a state in which the run could succeed."""

    exit_code = ExitCode.PREFLIGHT_REFUSED


class InfrastructureError(NpuLaunchError):
    """The machine or a service under the run failed: disk, port, process limit, Ray."""

    exit_code = ExitCode.INFRASTRUCTURE
