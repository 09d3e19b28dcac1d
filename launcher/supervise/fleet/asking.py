"""Questions to npu-launch on the hosts of a cluster, many hosts at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.reach import Reach
from launcher.runs.pointer import At
from launcher.specs import Host
from launcher.supervise.told_errors import heard

HOSTS_AT_ONCE: Final = 32

Result = TypeVar("Result")
Reaches = Callable[[Host], Reach]
Tell = Callable[[str], None]


def everywhere(work: Callable[[Host], Result], hosts: Sequence[Host]) -> dict[str, Result | NpuLaunchError]:
    """What a piece of work gives on each host, by its name, or why it gives nothing; all hosts at once."""

    def of(host: Host) -> Result | NpuLaunchError:
        try:
            return work(host)
        except NpuLaunchError as error:
            return error

    with ThreadPoolExecutor(max(1, min(len(hosts), HOSTS_AT_ONCE)), thread_name_prefix="fleet") as pool:
        return dict(zip((host.name for host in hosts), pool.map(of, hosts), strict=True))


def sort_out(found: Mapping[str, Result | NpuLaunchError]) -> tuple[dict[str, Result], dict[str, NpuLaunchError]]:
    """The hosts that gave something, and those that did not."""
    given = {host: result for host, result in found.items() if not isinstance(result, NpuLaunchError)}
    failed = {host: result for host, result in found.items() if isinstance(result, NpuLaunchError)}
    return given, failed


def refuse(failed: Mapping[str, NpuLaunchError], tell: Tell) -> None:
    """Raise what is wrong with hosts; where it is several, what is wrong with each is told first."""
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        for host, error in failed.items():
            tell(of_host(host, error))
        raise InfrastructureError(
            f"something is wrong with {len(failed)} hosts: {', '.join(failed)}",
            expected="all hosts of the cluster, but for spares",
            remedy="it is told above; what has been done stays, and the same command goes on from there",
        )


def of_host(host: str, error: NpuLaunchError) -> str:
    """What is wrong with a host, with its name."""
    is_named = error.where == f"host {host}" or error.where.startswith(f"host {host}, ")
    return str(error) if is_named else f"host {host}: {error}"


def ask(reach: Reach, at: At, module: str, *arguments: str, timeout: float) -> Any:
    """What a module of npu-launch on a host answers: the JSON of its last line.

    Raises the error that it answers, `{"error": {...}}`, and InfrastructureError when it answers nothing.
    """
    answer = reach.run([*at.command, "-m", f"launcher.supervise.{module}", *arguments], timeout=timeout)
    try:
        found = json.loads(answer.stdout.decode(errors="replace").strip().rpartition("\n")[2])
    except ValueError:
        last_words = (answer.stderr or answer.stdout).decode(errors="replace").strip()[-500:]
        raise InfrastructureError(
            f"npu-launch gives no answer there: {answer.problem or last_words or f'exit code {answer.code}'}",
            where=f"host {at.host}, {module}",
            expected="npu-launch of this version",
            remedy=f"there: {' '.join(at.command)} -m launcher.cli.main --version",
        ) from None
    if isinstance(found, dict) and "error" in found:
        raise heard(found["error"], at.host)
    return found
