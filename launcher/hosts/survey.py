"""Asks many hosts at once what they are like; a host that does not answer is an error of that host alone."""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate  # not the builtin one before Python 3.11
from typing import Any, Final

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts import probe
from launcher.hosts.reach import Answer, Reach
from launcher.hosts.reading.evidence import read_evidence
from launcher.hosts.reading.request import Request, probe_request
from launcher.hosts.report import HostReport
from launcher.specs import Host

__all__ = ["OpenReach", "Request", "survey_host", "survey_hosts"]

OpenReach = Callable[[Host], Reach]

HOSTS_AT_ONCE: Final = 256  # hosts that hang must not keep others waiting

# Which python3: the one that PATH finds, else usual places of one, else the one that npu-launch has brought there; not
# one that is too old. `exec` keeps it the process that a time limit ends.
_PYTHON: Final = (
    'for python in python3 /usr/bin/python3 /usr/local/bin/python3 "$@" ~/.npu-launch/env/*/bin/python; do\n'
    '"$python" -ISc "import sys; sys.exit(sys.version_info < (3, 7))" </dev/null >/dev/null 2>&1 && exec "$python" -\n'
    "done\n"
    'echo "no Python 3.7 or later on this host" >&2; exit 127'
)
_NO_PYTHON: Final = 127


def survey_hosts(
    hosts: Sequence[Host], request: Request, open_reach: OpenReach, budget: float = 10.0
) -> Mapping[str, HostReport | NpuLaunchError]:
    """The report of every host by its name, or why there is none, within `budget` seconds.

    Raises nothing for what is wrong on a host.
    """
    if not hosts:
        return {}
    end = time.monotonic() + budget
    pool = ThreadPoolExecutor(min(len(hosts), HOSTS_AT_ONCE), thread_name_prefix="survey")
    try:
        asked = [pool.submit(survey_host, host, request, open_reach, end) for host in hosts]
        found: dict[str, HostReport | NpuLaunchError] = {}
        for host, future in zip(hosts, asked, strict=True):
            try:
                found[host.name] = future.result(max(end + 0.5 - time.monotonic(), 0))
            except NpuLaunchError as error:
                found[host.name] = error
            except TooLate:
                found[host.name] = _late(host, budget)
        return found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def survey_host(host: Host, request: Request, open_reach: OpenReach, end: float) -> HostReport:
    """What one host reports until `end`, a time of the monotonic clock.

    Raises InfrastructureError when it cannot be reached, is late, has no Python, or answers with something else.
    """
    reach = open_reach(host)
    try:
        left = end - time.monotonic()
        if left <= 0:
            raise _late(host, 0)
        asked_of_it = probe_request(request, host, max(left - 1.0, left * 0.7))
        source = inspect.getsource(probe) + f"\nmain({asked_of_it!r})\n"
        asked = time.time()
        answer = reach.run(["sh", "-c", _PYTHON, "sh", sys.executable], input=source.encode(), timeout=left)
        answered = time.time()
    finally:
        reach.close()
    try:
        return read_evidence(host.name, _evidence(host, answer), asked, answered)
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # the line is not the probe's
        raise _failed(host, f"its answer is no evidence ({type(error).__name__}: {error})") from error


def has_python(reach: Reach, python: str | None, timeout: float) -> bool:
    """Whether a host has a Python that can say what the host is like. Raises InfrastructureError out of reach."""
    answer = reach.run(["sh", "-c", _PYTHON, "sh", python or sys.executable], input=b"", timeout=timeout)
    return answer.code != _NO_PYTHON


def interfaces_of(reach: Reach, python: str | None, timeout: float) -> Mapping[str, Sequence[str]]:
    """The addresses of each network interface of a host, by its name; nothing where the host does not say."""
    source = inspect.getsource(probe) + "\nsys.stdout.write(json.dumps(interfaces(Root(''))))\n"
    answer = reach.run(["sh", "-c", _PYTHON, "sh", python or sys.executable], input=source.encode(), timeout=timeout)
    try:
        found: dict[str, list[str]] = json.loads(answer.stdout) if answer.code == 0 else {}
        return found
    except ValueError:
        return {}


def _evidence(host: Host, answer: Answer) -> dict[str, Any]:
    """The probe's line, which counts as soon as it is whole, even if a part of the probe then did not end."""
    for line in reversed(answer.stdout.decode("utf-8", "replace").splitlines()):
        if line.startswith('{"'):
            try:
                found = json.loads(line)
            except ValueError:
                break
            if isinstance(found, dict) and "begun" in found:
                return found
    said = (answer.stderr or answer.stdout).decode("utf-8", "replace").strip()[-300:]
    if answer.code is None:
        raise _late(host, 0) if "did not end" in answer.problem else _failed(host, answer.problem)
    raise _failed(host, f"exit {answer.code}: {said or 'it said nothing'}")


def _failed(host: Host, why: str) -> InfrastructureError:
    return InfrastructureError(
        f"host {host.name} ({host.address}) could not be asked: {why}",
        expected="a shell and Python 3.7 or later there",
        remedy="npu-launch up CLUSTER brings one there",
    )


def _late(host: Host, budget: float) -> InfrastructureError:
    return InfrastructureError(
        f"host {host.name} ({host.address}) did not answer{f' within {budget:g} s' if budget else ' in time'}",
        expected="an answer of the host; a file server that hangs, or a device that does, holds it up",
        remedy=f"ssh {host.address} npu-smi info",
    )
