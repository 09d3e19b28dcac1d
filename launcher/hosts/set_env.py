"""What CANN's set_env.sh leaves in the environment of a host: sourced once, and kept until it changes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from launcher.errors import PreflightError
from launcher.hosts.reach import Answer, Reach
from launcher.planning.environment import UNSET
from launcher.planning.environment.set_env_files import candidates, driver_libraries
from launcher.planning.model import Environment, HostEnvironment
from launcher.specs import Framework

_LIMIT: Final = 30.0  # seconds; the scripts take a tenth of one
_SHOWN: Final = 1000  # characters of what a script said that an error has
_BETWEEN: Final = b"=npu-launch=\0"  # no variable has this name

# Which of its arguments are there, each with what changes when it is replaced.
_LOOK: Final = "stat -L -c '%f|%.9Y|%s|%i|%n' -- \"$@\" 2>/dev/null; :"
# The environment before and after the scripts, from a clean one: what the launching shell has sourced is not in it.
# What a script prints goes to standard error; a PATH or a trap that it leaves behind does not reach the last `env`.
_SOURCE: Final = (
    'exec env -i HOME="$HOME" USER="$USER" LOGNAME="$LOGNAME" LANG=C PATH=/usr/local/bin:/usr/bin:/bin '
    'bash --noprofile --norc -c "$1" set_env "${@:2}"'
)
_INNER: Final = (
    "env -0 || exit 125; printf '=npu-launch=\\0'; "
    'for file; do source "$file" >&2 </dev/null || { echo "exit code $? from $file" >&2; exit 124; }; done; '
    "trap - EXIT; command -p env -0"
)
# What a shell sets for itself, and who another job's rank was. How many threads a process has is the host's to say.
_NOT_CANNS: Final = frozenset({"_", "SHLVL", "PWD", "OLDPWD", *UNSET}) - {"OMP_NUM_THREADS"}


@dataclass(frozen=True)
class Changes:
    """What became of an environment: values set, and what was put before and after path lists."""

    variables: Mapping[str, str]
    prepended: Mapping[str, str]
    appended: Mapping[str, str]


@dataclass(frozen=True)
class _Found:
    """A file or folder that is there, and its fingerprint."""

    path: str
    is_folder: bool
    mark: str


def host_environment(
    reach: Reach, host: str, cann: str | None, framework: Framework, cache: Path | None
) -> HostEnvironment | None:
    """What the host's set_env.sh leaves; None where there is none.

    The scripts are looked for as `candidates` says, and sourced when there is no answer in the folder `cache`, or a
    script has changed since, or its folder, where `latest` is (path, mode, time, size, inode). Libraries of the driver
    that are there are added, should the scripts leave them out. Raises PreflightError when a script fails, does not
    end, or leaves no environment, and InfrastructureError when the host cannot be reached.
    """
    groups = candidates(cann, framework)
    drivers = driver_libraries(cann)
    possible = [path for group in groups for path in group]
    found = {each.path: each for each in _look(reach, host, [*possible, *map(os.path.dirname, possible), *drivers])}
    scripts = [next((path for path in group if path in found and not found[path].is_folder), None) for group in groups]
    files = tuple(path for path in scripts if path is not None)
    libraries = tuple(path for path in drivers if path in found and found[path].is_folder)
    if not files and not libraries:
        return None
    changes = Changes({}, {}, {})
    if files:
        marks = [found[path].mark for path in (*files, *map(os.path.dirname, files))]
        name = hashlib.sha256("\0".join([host, *files]).encode()).hexdigest()
        kept = None if cache is None else cache / f"set_env-{name}.json"
        known = _read(kept, marks)
        changes = known or _capture(reach, host, files)
        if known is None:
            _keep(kept, marks, changes)
    return HostEnvironment(
        hosts=(host,),
        files=(*files, *libraries),
        variables=Environment(changes.variables),
        prepended=Environment(changes.prepended),
        appended=Environment(_with_libraries(changes, libraries)),
    )


def captured(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """What changed from one environment to another. A value that holds the one before is a list that has grown.

    A variable that is gone again is none of CANN's, and no change.
    """
    variables: dict[str, str] = {}
    prepended: dict[str, str] = {}
    appended: dict[str, str] = {}
    for name, value in after.items():
        old = before.get(name)
        if name in _NOT_CANNS or value == old:
            continue
        head, middle, tail = f":{value}:".partition(f":{old}:") if old else ("", "", "")
        if not middle and (old or not _is_path_list(name)):
            variables[name] = value
            continue
        if not middle:  # the list was empty before
            head, tail = value, ""
        if head.strip(":"):
            prepended[name] = head.strip(":")
        if tail.strip(":"):
            appended[name] = tail.strip(":")
    return Changes(variables, prepended, appended)


def read_environments(output: bytes) -> tuple[dict[str, str], dict[str, str]] | None:
    """The environments before and after, from what the capturing shell wrote; None when it is something else."""
    first, between, second = output.partition(_BETWEEN)
    environments = (_environment(first), _environment(second))
    if not between or environments[0] is None or environments[1] is None or not environments[1]:
        return None
    return environments[0], environments[1]


def _environment(output: bytes) -> dict[str, str] | None:
    """`NAME=value` entries, each with a NUL at its end; None when some are not."""
    *entries, rest = output.split(b"\0")
    pairs = [entry.partition(b"=") for entry in entries]
    if rest or not all(equals and name for name, equals, _ in pairs):
        return None
    # Bash exports functions under names that no variable has.
    return {
        os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if b"%%" not in name and b"()" not in name
    }


def _is_path_list(name: str) -> bool:
    return name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "CMAKE_PREFIX_PATH") or name.endswith("LIBRARY_PATH")


def _with_libraries(changes: Changes, libraries: Sequence[str]) -> dict[str, str]:
    """What is appended, with the driver's libraries that are on no list yet."""
    name = "LD_LIBRARY_PATH"
    lists = (changes.prepended.get(name, ""), changes.appended.get(name, ""), changes.variables.get(name, ""))
    have = {path.rstrip("/") for each in lists for path in each.split(":")}
    missing = [path for path in libraries if path not in have]
    parts = [part for part in (changes.appended.get(name, ""), *missing) if part]
    return {**changes.appended, name: ":".join(parts)} if parts else dict(changes.appended)


# -- the host ----------------------------------------------------------------------------------------------------------


def _look(reach: Reach, host: str, paths: Sequence[str]) -> list[_Found]:
    answer = reach.run(["bash", "--noprofile", "--norc", "-c", _LOOK, "look", *paths], timeout=_LIMIT)
    if answer.code != 0:
        raise _failure(host, "cannot look for CANN's set_env.sh", answer)
    found = []
    for line in os.fsdecode(answer.stdout).split("\n"):
        mode, *_, path = line.split("|", 4) if line.count("|") >= 4 else ("0", "")
        if path in paths:
            found.append(_Found(path, stat.S_ISDIR(int(mode, 16)), line))
    return found


def _capture(reach: Reach, host: str, files: Sequence[str]) -> Changes:
    answer = reach.run(["bash", "--noprofile", "--norc", "-c", _SOURCE, "set_env", _INNER, *files], timeout=_LIMIT)
    environments = read_environments(answer.stdout) if answer.code == 0 else None
    if environments is None:
        how = f": {answer.problem}" if answer.problem else " failed" if answer.code else " left no environment"
        raise _failure(host, f"sourcing {' and '.join(files)}{how}", answer)
    changes = captured(*environments)
    odd = [
        name
        for part in (changes.variables, changes.prepended, changes.appended)
        for name in part
        if _is_odd(part[name])
    ]
    if odd:
        raise _failure(host, f"{' and '.join(files)} set {', '.join(odd)} to what is not UTF-8", answer)
    return changes


def _is_odd(text: str) -> bool:
    """Whether a text has bytes that are not UTF-8 (PEP 383)."""
    return any("\udc80" <= character <= "\udcff" for character in text)


def _failure(host: str, what: str, answer: Answer) -> PreflightError:
    said = answer.stderr.strip().decode(errors="replace")[-_SHOWN:]
    return PreflightError(
        what,
        where=f"host {host}",
        expected=f"a script that bash can source; it said: {said or 'nothing'}",
        remedy="mend or reinstall CANN there, or set `cann` of the host to another installation",
    )


# -- the cache ---------------------------------------------------------------------------------------------------------


def _read(path: Path | None, marks: Sequence[str]) -> Changes | None:
    """What was kept of these very files; None when nothing was, or it cannot be read."""
    try:
        kept: Any = json.loads(path.read_bytes()) if path else {}
        parts = [kept["variables"], kept["prepended"], kept["appended"]]
        is_theirs = kept["marks"] == list(marks)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    are_texts = all(
        isinstance(part, dict) and all(isinstance(text, str) for item in part.items() for text in item)
        for part in parts
    )
    return Changes(*parts) if are_texts and is_theirs else None


def _keep(path: Path | None, marks: Sequence[str], changes: Changes) -> None:
    """Write it whole or not at all; where that cannot be, the scripts are sourced again the next time."""
    if path is None:
        return
    kept = {"marks": list(marks), **asdict(changes)}
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=path.stem)  # mode 0600
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(kept, file)
            Path(partial).replace(path)
        except OSError:
            Path(partial).unlink(missing_ok=True)
