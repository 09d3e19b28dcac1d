"""Builds what a simulated host consists of on disk, out of its `state.json`, whenever that is newer.

    HOST/state.json      what the host is like
    HOST/bin/            npu-smi, hccn_tool, python3: what PATH finds
    HOST/root/           the host's own files
    HOST/answers/        what each tool says, by command line, as shell; a file a tool, since to make files is slow
    HOST/machine/        what the host's python3 takes for its machine

The tools are small shell scripts that start no other process, so that 64 hosts can be asked in a moment.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from tests.site import hccn_tool, npu_smi
from tests.site.files import files, links
from tests.site.state import HostState, ToolAnswer, load_state

_PROJECT = Path(__file__).parents[2]

_BEGIN = """\
#!/bin/sh
# A tool of the simulated host {name}: it says what is in {host}/answers.
host={host}
if [ "$host/state.json" -nt "$host/answers/made" ]; then
    PYTHONPATH={project} {python} -m tests.site --build "$host" || exit 70
fi
"""

_NPU_SMI = """
said="npu-smi $1"
[ $# -gt 0 ] && shift
t='' i='' c=''
while [ $# -gt 0 ]; do
    case $1 in
    -t) t=" -t $2" ;;
    -i) i=" -i $2" ;;
    -c) c=" -c $2" ;;
    *) said="$said $1"; set -- - "$@" ;;
    esac
    shift; [ $# -gt 0 ] && shift
done
said="$said$t$i$c"
"""

_HCCN_TOOL = """
said="hccn_tool $*"
"""

_END = """
. "$host/answers/{tool}"
"""

_PYTHON = """\
#!/bin/sh
# The Python of the simulated host {name}.
{hang}export PYTHONPATH={host}/machine
case $1 in
-) exec {python} -sSc 'import sitecustomize, sys; exec(compile(sys.stdin.read(), "<stdin>", "exec"))' ;;  # quicker
*) exec {python} -s "$@" ;;
esac
"""


def build(host: Path) -> None:
    """Make everything anew, unless that was done since `state.json` was changed."""
    with (host / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        changed = (host / "state.json").stat().st_mtime_ns
        made = host / "answers" / "made"
        if made.exists() and made.stat().st_mtime_ns >= changed:
            return
        state = load_state(host / "state.json")
        _write_files(host, state)
        _write_machine(host, state)
        _write_tools(host, state)
        _write_answers(host, state, changed)


def _write_files(host: Path, state: HostState) -> None:
    """Files and links below the root; those of the last time that are no more are removed, others left alone."""
    manifest = host / ".files.json"
    before = set(json.loads(manifest.read_text())) if manifest.exists() else set()
    texts, pointers = files(state), links(state)
    for path in before - texts.keys() - pointers.keys():
        (host / "root" / path).unlink(missing_ok=True)
    for path, text in texts.items():
        place = host / "root" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    for path, target in pointers.items():
        place = host / "root" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)
    manifest.write_text(json.dumps(sorted({*texts, *pointers})))


def _write_machine(host: Path, state: HostState) -> None:
    machine = host / "machine"
    shutil.rmtree(machine, ignore_errors=True)
    machine.mkdir()
    shutil.copyfile(Path(__file__).with_name("machine.py"), machine / "sitecustomize.py")
    names = ("clock_offset", "architecture", "missing", "disk_free", "own_addresses")
    values = {name: getattr(state, name) for name in names}
    (machine / "machine.json").write_text(json.dumps(values))
    for name, version in state.packages.items():
        folder = machine / "site-packages" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def _write_tools(host: Path, state: HostState) -> None:
    begin = _BEGIN.format(name=state.name, host=shlex.quote(str(host)), project=_PROJECT, python=sys.executable)
    tools = host / "root/usr/local/Ascend/driver/tools/hccn_tool"
    tools.parent.mkdir(parents=True, exist_ok=True)
    hang = "exec sleep 600\n" if state.reach == "hangs" else ""
    python = _PYTHON.format(
        name=state.name,
        hang=hang,
        host=shlex.quote(str(host)),
        python=getattr(sys, "_base_executable", sys.executable),
    )
    _program(host / "bin/npu-smi", begin + _NPU_SMI + _END.format(tool="npu-smi"), "npu-smi" in state.absent)
    _program(host / "bin/hccn_tool", begin + _HCCN_TOOL + _END.format(tool="hccn_tool"), "hccn_tool" in state.absent)
    _program(host / "bin/python3", python, "python3" in state.absent)
    tools.unlink(missing_ok=True)
    if "hccn_tool" not in state.absent:
        tools.symlink_to(host / "bin/hccn_tool")


def _program(path: Path, text: str, is_absent: bool) -> None:
    if is_absent:
        text = '#!/bin/sh\necho "${0##*/}: not found" >&2\nexit 127\n'  # as the shell says it of a command it misses
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(0o755)
    new.replace(path)


def _write_answers(host: Path, state: HostState, changed: int) -> None:
    """A new folder of answers, put in place at once; the one before stays for tools that are reading it."""
    link = host / "answers"
    last = int(link.readlink().name.rpartition("-")[2]) if link.is_symlink() else 0
    folder = host / f"answers-{last + 1}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for tool, module in (("npu-smi", npu_smi), ("hccn_tool", hccn_tool)):
        given = {command: answer for command, answer in state.answers.items() if command.split()[0] == tool}
        known = {command: ToolAnswer(text) for command, text in module.answers(state).items()}
        cases = [_case(shlex.quote(command), answer) for command, answer in {**known, **given}.items()]
        text = "".join(["case $said in\n", *cases, _case("*", ToolAnswer(module.WRONG, 1)), "esac\n"])
        (folder / tool).write_text(text, encoding="utf-8")
    (folder / "made").touch()
    os.utime(folder / "made", ns=(changed, changed))
    new = host / ".answers.new"
    new.unlink(missing_ok=True)
    new.symlink_to(folder.name)
    new.replace(link)
    shutil.rmtree(host / f"answers-{last - 1}", ignore_errors=True)


def _case(pattern: str, answer: ToolAnswer) -> str:
    wait = f"sleep {answer.delay:g}; " if answer.delay else ""
    return f"{pattern}) {wait}printf %s {shlex.quote(answer.text)}; exit {answer.code} ;;\n"
