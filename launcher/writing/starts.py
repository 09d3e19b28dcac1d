"""Command lines that start a training: of Python, mpirun, msrun and torchrun."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from launcher.writing.shell.commands import SHELLS, text_for_shell
from launcher.writing.shell.course import QUIET
from launcher.writing.shell_texts import folder_from_here, read_shell_text, relative_to_here
from launcher.writing.wrappers import unwrapped

_PYTHON: Final = re.compile(r"python[0-9.]*")
_DEFAULT_WORKERS: Final = 8  # of msrun (facts/env.md, section 3)
_ONE_HOST: Final = "how many hosts is not known: 1 is assumed"


class Starter(Enum):
    """What starts the ranks."""

    PYTHON = "python"
    MPIRUN = "mpirun"
    MSRUN = "msrun"
    TORCHRUN = "torchrun"
    PROGRAM = "a program"


@dataclass(frozen=True)
class Start:
    """One start: which script, with which arguments, as how many ranks.

    `per_host` is None where the number is not known. `logs` is a folder that only the starter writes to, `remarks` what
    a recipe does otherwise.
    """

    starter: Starter
    script: str
    args: tuple[str, ...] = ()
    python: str | None = None
    per_host: int | None = 1
    hosts: int = 1
    max_restarts: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    logs: str = ""
    remarks: tuple[str, ...] = ()


def start_of(argv: Sequence[str]) -> Start | None:
    """The start that a command line is; None for any other."""
    words, env = unwrapped(argv)
    if not words:
        return None
    name = posixpath.basename(words[0])
    if (text := text_for_shell(words)) is not None:
        return _of_text(text, env)
    read = _STARTERS.get(name) or (_of_python if _PYTHON.fullmatch(name) else None)
    start = read(words) if read is not None else None
    return start and replace(start, env={**env, **start.env})


def program_of(argv: Sequence[str]) -> Start | None:
    """The start of a program that is no Python: `./fit.sh`, `bash fit.sh`."""
    words, env = unwrapped(argv)
    if len(words) > 1 and words[0] in SHELLS and not words[1].startswith("-"):
        words = words[1:]
        return Start(Starter.PROGRAM, words[0], tuple(words[1:]), env=env)
    is_path = bool(words) and "/" in words[0] and not words[0].startswith(("/bin/", "/usr/", "/sbin/"))
    return Start(Starter.PROGRAM, words[0], tuple(words[1:]), env=env) if is_path else None


def _is_start(argv: Sequence[str]) -> bool:
    return start_of(argv) is not None


def _of_text(text: str, env: Mapping[str, str]) -> Start | None:
    """The first start of a text that a shell is given; what else it does is remarked on."""
    reading = read_shell_text(text, _is_start)
    found = [(start, each) for each in reading.invocations if (start := start_of(each.argv)) is not None]
    if not found:
        return None
    start, by = found[0]
    remarks = [remark.what for remark in reading.remarks]
    folder = folder_from_here(by.cwd)
    if folder != ".":
        remarks.append(f"goes to {folder} first: say it as cwd")
    others = [each for each in reading.invocations if each is not by and each.argv[0] not in QUIET]
    remarks += [f"does {each.place.source}, too, which is not done here" for each in others]
    return replace(
        start,
        script=posixpath.normpath(posixpath.join(folder, start.script)),
        args=tuple(map(relative_to_here, start.args)),
        env={**env, **by.env, **start.env},
        remarks=(*remarks, *start.remarks),
    )


def _of_python(words: list[str]) -> Start | None:
    python, rest = words[0], words[1:]
    remarks: list[str] = []
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "-m" and rest:
            return _module(python, rest[0], rest[1:], remarks)
        if option == "-c" or not rest:
            return None
        if option in ("-W", "-X"):
            option += f" {rest.pop(0)}"
        if option != "-u":
            remarks.append(f"Python's option {option} is left out")
    return Start(Starter.PYTHON, rest[0], tuple(rest[1:]), python, remarks=tuple(remarks)) if rest else None


def _module(python: str, module: str, rest: list[str], remarks: list[str]) -> Start | None:
    if module in ("torch.distributed.launch", "torch.distributed.run"):
        start = _torchrun([module, *rest], python)
        if start is None or module.endswith("run") or {"--use_env", "--use-env"} & set(rest):
            return start
        return replace(start, args=("--local_rank={local_rank}", *start.args))
    remarks = [*remarks, f"{module} is run as a module (-m): here its file is run"]
    return Start(Starter.PYTHON, module.replace(".", "/") + ".py", tuple(rest), python, remarks=tuple(remarks))


def _torchrun(words: list[str], python: str | None = None) -> Start | None:
    options, rest = _options(words[1:], flags=_TORCHRUN_FLAGS)
    if not rest:
        return None
    remarks = []
    script = rest[0]
    if "m" in options or "module" in options:
        remarks.append(f"{script} is run as a module (-m): here its file is run")
        script = script.replace(".", "/") + ".py"
    nodes = options.get("nnodes", "1").split(":")
    hosts = _count(nodes[-1])
    if len(nodes) > 1:
        remarks.append(f"{':'.join(nodes)} hosts, as many as there are: set restart.policy to elastic for that")
    if not hosts:
        remarks.append(_ONE_HOST)
    return Start(
        Starter.TORCHRUN,
        script,
        tuple(rest[1:]),
        python,
        per_host=_count(options.get("nproc_per_node", "1")),
        hosts=hosts or 1,
        max_restarts=_count(options.get("max_restarts", "0")) or 0,
        logs=options.get("log_dir", ""),
        remarks=tuple(remarks),
    )


_TORCHRUN_FLAGS: Final = ("standalone", "no_python", "use_env", "run_path", "m", "module")


def _msrun(words: list[str]) -> Start | None:
    options, rest = _options(words[1:])
    if not rest:
        return None
    workers = _count(options.get("worker_num", str(_DEFAULT_WORKERS)))
    local = _count(options.get("local_worker_num", str(_DEFAULT_WORKERS)))
    seconds = options.get("cluster_time_out", "")
    hosts = -(-workers // local) if workers and local else None
    start = Start(
        Starter.MSRUN,
        rest[0],
        tuple(rest[1:]),
        per_host=local,
        hosts=hosts or 1,
        env={"MS_TOPO_TIMEOUT": seconds} if seconds else {},
        logs=options.get("log_dir", ""),
        remarks=() if hosts else (_ONE_HOST,),
    )
    if _PYTHON.fullmatch(posixpath.basename(rest[0])):
        inner = _of_python(rest)
        remarks = (*start.remarks, *inner.remarks) if inner else ()
        return inner and replace(start, script=inner.script, args=inner.args, python=inner.python, remarks=remarks)
    return start


def _mpirun(words: list[str]) -> Start | None:
    rest, ranks, env, remarks, logs = words[1:], None, {}, [], ""
    while rest and rest[0].startswith("-"):
        option, _, value = rest.pop(0).lstrip("-").partition("=")
        taken = _MPIRUN_VALUED.get(option, 0)
        values = [value] if value else [rest.pop(0) for _ in range(min(taken, len(rest)))]
        if option in ("n", "np", "c"):
            ranks = _count(values[0]) if values else None
        elif option == "x" and values and "=" in values[0]:
            name, _, env[name] = values[0].partition("=")
        elif option == "output-filename" and values:
            logs = values[0]
        elif option in ("H", "host", "hostfile", "machinefile", "rankfile", "rf"):
            remarks.append(f"its hosts ({' '.join(values)}): name them in a cluster spec")
        elif option in ("wd", "wdir") and values:
            remarks.append(f"its ranks run in {values[0]} (-{option}): say it as cwd")
    if ":" in rest:
        others = rest[rest.index(":") :]
        rest = rest[: rest.index(":")]
        remarks.append(f"starts other programs, too ({' '.join(others)}): only the first is here")
    inner = start_of(rest)
    if inner is None:
        return None
    if inner.starter is not Starter.PYTHON:
        remarks.append(f"each of its processes is a {inner.starter.value}, which starts ranks: ranks may be more")
    return replace(
        inner,
        starter=Starter.MPIRUN,
        per_host=ranks,
        env={**env, **inner.env},
        logs=logs or inner.logs,
        remarks=(*remarks, *inner.remarks),
    )


_MPIRUN_VALUED: Final[Mapping[str, int]] = {
    **dict.fromkeys(("n", "np", "c", "x", "H", "host", "hostfile", "machinefile", "rankfile", "rf", "wd", "wdir"), 1),
    **dict.fromkeys(("output-filename", "bind-to", "map-by", "N", "npernode", "ppn", "prefix", "timeout"), 1),
    **dict.fromkeys(("mca", "gmca"), 2),
}

_STARTERS: Final[Mapping[str, Callable[[list[str]], Start | None]]] = {
    "torchrun": _torchrun,
    "msrun": _msrun,
    **dict.fromkeys(("mpirun", "mpiexec", "orterun"), _mpirun),
}


def _options(words: list[str], flags: Sequence[str] = ()) -> tuple[dict[str, str], list[str]]:
    """The options at the start of a command line by name, with underscores, and what follows them."""
    options: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).lstrip("-").partition("=")
        name = name.replace("-", "_")
        if not equals and name not in flags and rest:
            value = rest.pop(0)
        options[name] = value
    return options, rest


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None
