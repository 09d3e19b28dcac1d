"""A rank forked from a template is what a started one is, and a template that could not promise that says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from launcher.supervise.shim import warm
from tests.end_to_end import is_alive
from tests.supervise import miniature_shim

Processes = list[dict[str, Any]]
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "NPU_LAUNCH_RUN": "run-1", "LANG": "C.UTF-8"}

LOOK = r"""
import gc, inspect, json, os, resource, signal, subprocess, sys, threading, warnings

def text(path):
    with open(path, "rb") as file:
        return file.read().decode()

def described(file):
    return [repr(file), file.encoding, file.errors, file.line_buffering, file.write_through, file.mode]

status = dict(line.split(":\t", 1) for line in text("/proc/self/status").splitlines())
files = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        files[fd] = os.readlink("/proc/self/fd/" + fd)
    except OSError:
        pass
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "executable": sys.executable,
    "flags": repr(sys.flags), "warnoptions": sys.warnoptions, "filters": repr(warnings.filters),
    "main": {k: type(v).__name__ if k == "__loader__" else repr(v) for k, v in vars(main).items() if k[:2] == "__"},
    "main_is_this": vars(main) is globals(), "hook": sys.excepthook is sys.__excepthook__,
    "last": [name for name in dir(sys) if name.startswith("last_")], "frames": len(inspect.stack()),
    "exception": repr(sys.exc_info()), "recursion": sys.getrecursionlimit(),
    "cwd": os.getcwd(), "environ": dict(os.environ), "environ_class": type(os.environ).__name__,
    "environ_in_c": subprocess.check_output(["env"]).decode(),
    "proc": [text("/proc/self/environ"), text("/proc/self/cmdline"), text("/proc/self/comm")],
    "signals": [status[name] for name in ("SigBlk", "SigIgn", "SigCgt", "Threads", "Umask")],
    "interrupt": repr(signal.getsignal(signal.SIGINT)),
    "session": [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()], "parent": os.getppid(),
    "files": files, "streams": [described(file) for file in (sys.stdin, sys.stdout, sys.stderr)],
    "threads": [[t.name, t.ident == threading.get_ident(), t.native_id == os.getpid()] for t in threading.enumerate()],
    "limits": [resource.getrlimit(n) for n in range(10)], "nice": os.nice(0), "gc": gc.isenabled(),
}))
"""

ENDINGS = {
    "by itself": "print('done')",
    "exit": "raise SystemExit",
    "exit with a code": "import sys; sys.exit(3)",
    "exit with words": "raise SystemExit('words')",
    "exit in a function": "def main():\n    try:\n        raise SystemExit(4)\n    finally:\n        print(1)\nmain()",
    "exception": "def inner():\n    1 / 0\ndef outer():\n    inner()\nprint('before')\nouter()",
    "chained exceptions": "try:\n    {}['x']\nexcept KeyError as e:\n    raise ValueError('no') from e",
    "exception and atexit": "import atexit\natexit.register(print, 'bye')\n1 / 0",
    "keyboard": "raise KeyboardInterrupt",
    "interrupted": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)",
    "caught keyboard": "try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n    print('caught')\n",
    "terminated": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "at once": "import os\nos._exit(7)",
    "abort": "import os\nos.abort()",
    "own hook": "import sys\nsys.excepthook = lambda *error: print('hook', error[1])\n1 / 0",
    "broken hook": "import sys\nsys.excepthook = lambda: None\n1 / 0",
    "threads are waited for": "import threading, time\ndef late():\n    time.sleep(0.2)\n    print('late')\n"
    "threading.Thread(target=late).start()\nprint('main')",
    "error in a thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()",
    "syntax error beside it": "import wrong",
    "missing library": "import there_is_no_such_library",
    "stack": "import traceback\ntraceback.print_stack()\ndef f():\n    traceback.print_stack()\nf()",
    "warning": "import warnings\nwarnings.warn('careful')\nwarnings.warn('deep', stacklevel=5)",
    "closed output": "import sys\nsys.stdout.close()",
    "file name at exit": "import atexit\natexit.register(lambda: print(globals().get('__file__')))",
    "pool of processes": "import multiprocessing as m\ndef f(x):\n    return x + 1\n"
    "if __name__ == '__main__':\n    print(m.get_context('spawn').Pool(1).map(f, [1]))",
}


class Shim:
    """A miniature shim, and the processes that it has to start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, miniature_shim.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env={**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def ask(self, do: str, **request: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def write(self, name: str, source: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        return path

    def processes(self, tail: list[str], ranks: int = 1, flags: tuple[str, ...] = (), python: str = "") -> Processes:
        command = [python or sys.executable, *flags, *tail]
        return [{"argv": command, "cwd": str(self.folder), "log": str(self.folder / f"{r}.log")} for r in range(ranks)]

    def environments(self, ranks: int = 1, **variables: str) -> list[dict[str, str]]:
        return [{**ENVIRONMENT, **variables, "RANK_ID": str(rank)} for rank in range(ranks)]

    def template(self, processes: Processes, **variables: str) -> Any:
        environments = self.environments(max(2, len(processes)), **variables)  # none is that of all
        twice = processes if len(processes) > 1 else processes * 2
        return self.ask("template", processes=twice, environments=environments, log=str(self.folder / "template.log"))

    def launch(self, do: str, processes: Processes, **variables: str) -> Any:
        environments = self.environments(len(processes), **variables)
        return self.ask(do, processes=processes, environments=environments)

    def outcome(self, do: str, processes: Processes, **variables: str) -> tuple[int, bytes]:
        """Exit code and log of the first."""
        log = Path(processes[0]["log"])
        log.unlink(missing_ok=True)
        (code,) = self.ask("wait", pids=self.launch(do, processes[:1], **variables))
        return code, log.read_bytes()

    def log(self, rank: int = 0) -> str:
        return (self.folder / f"{rank}.log").read_text()


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[Shim]:
    (tmp_path / "job").mkdir()
    shim = Shim(tmp_path / "job")
    yield shim
    assert shim.process.stdin is not None
    shim.process.stdin.close()
    assert shim.process.wait(10) == 0


def both_ways(shim: Shim, processes: Processes, template_for: Processes | None = None) -> tuple[Any, Any]:
    """What LOOK prints in a started process and in a forked one."""
    started = shim.outcome("start", processes)
    template = shim.template(template_for or processes)
    assert template["ready"], template["refusal"]
    forked = shim.outcome("fork", processes)
    assert (started[0], forked[0]) == (0, 0), (started, forked)
    return json.loads(started[1]), json.loads(forked[1])


safe_path = pytest.param(("-P",), marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="-P is new in 3.11"))


@pytest.mark.parametrize("flags", [(), ("-u", "-O"), ("-I",), safe_path, ("-X", "utf8=0", "-Wdefault"), ("-bB", "-E")])
def test_a_script_sees_what_it_sees_in_a_started_process(shim: Shim, flags: tuple[str, ...]) -> None:
    script = shim.write("look.py", LOOK)
    started, forked = both_ways(shim, shim.processes([str(script), "--batch", "4 ü"], flags=flags))
    assert forked == started
    assert forked["parent"] == shim.process.pid


def test_a_script_behind_a_link_sees_the_same(shim: Shim, tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to(shim.write("look.py", LOOK))
    started, forked = both_ways(shim, shim.processes(["../link.py"]))
    assert forked == started
    assert forked["path"][0] == str(shim.folder)


def test_code_on_the_command_line_can_be_forked_from_a_scripts_template(shim: Shim) -> None:
    script = shim.write("train.py", "import psutil")
    started, forked = both_ways(shim, shim.processes(["-c", LOOK, "x"]), shim.processes([str(script)]))
    assert forked == started


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_as_a_started_one_does(shim: Shim, ending: str) -> None:
    shim.write("wrong.py", "def f(:")
    processes = shim.processes([str(shim.write("train.py", ENDINGS[ending]))])
    started = shim.outcome("start", processes)
    assert shim.template(processes)["ready"]
    assert shim.outcome("fork", processes) == started


@pytest.mark.parametrize("code", ["1 / 0", "import sys; sys.exit(3)", "print('done')", "raise KeyboardInterrupt"])
def test_code_on_the_command_line_ends_as_in_a_started_process(shim: Shim, code: str) -> None:
    assert shim.template(shim.processes([str(shim.write("train.py", ""))]))["ready"]
    processes = shim.processes(["-c", code])
    assert shim.outcome("fork", processes) == shim.outcome("start", processes)


def test_what_imports_print_stands_in_the_log_of_every_rank(shim: Shim, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "talker.py").write_text("import sys; print('hello'); print('careful', file=sys.stderr)")
    processes = shim.processes([str(shim.write("train.py", "import talker; print('trained')"))])
    started = shim.outcome("start", processes, PYTHONPATH=str(library), PYTHONUNBUFFERED="1")
    assert shim.template(processes, PYTHONPATH=str(library), PYTHONUNBUFFERED="1")["ready"]
    assert shim.outcome("fork", processes, PYTHONPATH=str(library), PYTHONUNBUFFERED="1") == started


def test_other_tools_see_the_rank_and_not_the_template(shim: Shim) -> None:
    script = shim.write("train.py", "import time\nprint('up', flush=True)\ntime.sleep(60)")
    processes = shim.processes([str(script), "--long", "x" * 5000, ""])
    assert shim.template(processes)["ready"]
    (pid,) = shim.launch("fork", processes)
    rank = psutil.Process(pid)
    assert rank.cmdline() == processes[0]["argv"]
    assert rank.environ() == shim.environments()[0]
    assert rank.name() == Path(sys.executable).name
    assert rank.ppid() == shim.process.pid
    os.killpg(pid, signal.SIGTERM)
    assert shim.ask("wait", pids=[pid]) == [-signal.SIGTERM]


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ranks_and_template_die_with_the_shim(tmp_path: Path) -> None:
    shim = Shim(tmp_path)
    processes = shim.processes([str(shim.write("train.py", "import time; time.sleep(60)"))], ranks=2)
    template = shim.template(processes)["pid"]
    pids = shim.launch("fork", processes)
    shim.process.kill()
    shim.process.communicate()
    for pid in [template, *pids]:
        wait_until_gone(pid)


def test_ranks_outlive_their_template(shim: Shim) -> None:
    processes = shim.processes([str(shim.write("train.py", "import time; time.sleep(0.5); print('done')"))], ranks=2)
    template = shim.template(processes)["pid"]
    pids = shim.launch("fork", processes)
    os.kill(template, signal.SIGKILL)
    assert shim.ask("wait", pids=pids) == [0, 0]
    assert shim.launch("fork", processes) == {"error": "it was killed by SIGKILL"}


def test_a_restart_forks_again_with_another_environment(shim: Shim) -> None:
    script = shim.write("train.py", "import os; print(os.environ['RANK_ID'], os.environ['ATTEMPT'])")
    processes = shim.processes([str(script)], ranks=3)
    assert shim.template(processes, ATTEMPT="1")["ready"]
    for attempt in "123":
        pids = shim.launch("fork", processes, ATTEMPT=attempt)
        assert shim.ask("wait", pids=pids) == [0, 0, 0]
    assert shim.log(2) == "2 1\n2 2\n2 3\n"


def test_a_process_that_cannot_be_made_is_left_to_a_plain_start(shim: Shim) -> None:
    processes = shim.processes([str(shim.write("train.py", "print('done')"))], ranks=3)
    processes[1]["cwd"] = "/there/is/no/such/folder"
    assert shim.template([processes[0], processes[2]])["ready"]
    first, second, third = shim.launch("fork", processes)
    assert second is None
    assert shim.ask("wait", pids=[first, third]) == [0, 0]


def test_ranks_draw_different_random_numbers(shim: Shim) -> None:
    pytest.importorskip("numpy")
    script = shim.write(
        "train.py", "import random, numpy, uuid\nprint(random.random(), numpy.random.rand(), uuid.uuid4())"
    )
    processes = shim.processes([str(script)], ranks=8)
    assert shim.template(processes)["ready"]
    shim.ask("wait", pids=shim.launch("fork", processes))
    drawn = [shim.log(rank).split() for rank in range(8)]
    assert all(len(set(column)) == 8 for column in zip(*drawn, strict=True))


def test_modules_beside_the_script_are_read_and_not_imported(shim: Shim) -> None:
    shim.write("model.py", "import xml.dom\nfrom package import part\nprint('imported', __name__)")
    shim.write("package/__init__.py", "from . import part\nprint('imported', __name__)")
    shim.write("package/part.py", "from .other import x\nfrom . import other\ndef f():\n    import xml.sax")
    shim.write("package/other.py", "x = 1\nif x:\n    import colorsys\nelse:\n    import cmd")
    script = (
        "import sys\nprint([n for n in ('xml.dom', 'colorsys', 'cmd', 'turtle', 'xml.sax') if n in sys.modules])\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import turtle\ndef main():\n    import model\nmain()"
    )
    processes = shim.processes([str(shim.write("train.py", script))])
    assert shim.template(processes)["ready"]
    assert not (shim.folder / "template.log").read_bytes()
    shim.ask("wait", pids=shim.launch("fork", processes))
    assert shim.log().split("\n") == ["['xml.dom', 'colorsys', 'cmd']", "imported package", "imported model", ""]


LIBRARIES = {
    "runs threads": ("import threading as t, time\nt.Thread(None, time.sleep, 'me', [60]).start()", "lose: me"),
    "keeps a device open": ("import os\nfd = os.open('/dev/tty0', os.O_RDONLY)", "/dev/tty0"),
    "keeps a socket open": ("import socket\ns = socket.socket()", "socket:["),
    "keeps a file open": ("import sys\nf = open(__file__)", "library.py"),
    "shares memory": ("import mmap\nm = mmap.mmap(-1, 4096)", "has mapped"),
    "started a process": ("import subprocess, sys\np = subprocess.Popen(['sleep', '1'])", "has started a process"),
    "failed": ("import there_is_no_such_library", "importing library failed: No module named 'there_is"),
    "exits": ("import sys\nsys.exit('no device')", "importing library failed: SystemExit: no device"),
    "crashes": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "it was killed by SIGSEGV"),
    "leaves": ("import os\nos._exit(3)", "it ended with code 3"),
    "hangs": ("import signal, time\nsignal.alarm(1)\ntime.sleep(60)", "its imports took longer than"),
}  # fmt: skip


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_template_that_cannot_be_trusted_says_why(shim: Shim, tmp_path: Path, library: str) -> None:
    source, reason = LIBRARIES[library]
    if "/dev/tty0" in source and not Path("/dev/tty0").exists():
        source, reason = source.replace("/dev/tty0", "/dev/kmsg"), "/dev/kmsg"
    (tmp_path / "libraries").mkdir()
    (tmp_path / "libraries" / "library.py").write_text(source)
    processes = shim.processes([str(shim.write("train.py", "import library"))])
    template = shim.template(processes, PYTHONPATH=str(tmp_path / "libraries"))
    assert not template["ready"]
    assert reason in template["refusal"]
    assert shim.launch("fork", processes) == {"error": template["refusal"]}


def test_a_rank_finds_its_own_modules_by_the_names_of_the_templates(shim: Shim) -> None:
    names = sorted(path.stem for path in Path(warm.__file__).with_name("template").glob("[a-z]*.py"))
    for name in names:
        shim.write(f"{name}.py", "")
    found = "{n: getattr(m, '__file__', None) for n, m in sys.modules.items() if n.partition('.')[0] not in known}"
    script = f"import json, sys, {', '.join(names)}\nknown = sys.stdlib_module_names\nprint(json.dumps({found}))"
    started, forked = both_ways(shim, shim.processes([str(shim.write("train.py", script))]))
    assert "trust" in names
    assert forked == started


def test_a_name_beside_the_script_that_hides_a_loaded_module_is_refused(shim: Shim) -> None:
    shim.write("json.py", "print('my own')")
    refusal = shim.template(shim.processes([str(shim.write("train.py", "import json"))]))["refusal"]
    assert refusal == "json beside the script has the name of a module that is loaded already"


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (["train.py"], "cannot read what train.py imports: [Errno 2]"),
        (["wrong.py"], "cannot read what wrong.py imports: invalid syntax"),
        (["-c", "pass"], "there is no script"),
        (["-m", "training"], "the interpreter has the option -m"),
    ],
)
def test_what_has_no_imports_to_look_at_is_refused(shim: Shim, tail: list[str], reason: str) -> None:
    shim.write("wrong.py", "def")
    assert shim.template(shim.processes(tail))["refusal"].startswith(reason)


def test_an_interpreter_that_is_none_is_refused(shim: Shim) -> None:
    script = str(shim.write("train.py", ""))
    assert shim.template(shim.processes([script], python="/bin/true"))["refusal"] == "it ended with code 0"
    assert "/no/such" in shim.template(shim.processes([script], python="/no/such"))["refusal"]


def test_variables_that_imports_may_have_read_keep_a_process_out(shim: Shim, tmp_path: Path) -> None:
    (tmp_path / "reader.py").write_text("import os; rank = os.environ.get('RANK_ID', '0')")
    processes = shim.processes([str(shim.write("train.py", "import reader"))])
    environment = shim.environments(PYTHONPATH=str(tmp_path))[0]
    assert shim.template(processes, PYTHONPATH=str(tmp_path))["ready"]
    obstacle = shim.ask("obstacle", process=processes[0], environment=environment)
    assert obstacle == "RANK_ID is read while libraries are imported, and differs from process to process"


def test_only_what_differs_without_effect_may_differ(shim: Shim) -> None:
    processes = shim.processes([str(shim.write("train.py", ""))])
    environment = shim.environments(ATTEMPT="1")[0]
    assert shim.template(processes, ATTEMPT="1")["ready"]

    def obstacle(process: dict[str, Any] | None = None, **changes: str) -> Any:
        return shim.ask("obstacle", process=process or processes[0], environment=environment | changes)

    assert obstacle() is None
    assert obstacle(RANK_ID="7", ATTEMPT="2") is None
    assert obstacle(shim.processes(["-c", "pass"])[0]) is None
    assert "GLOG_log_dir may be read" in obstacle(GLOG_log_dir="/rank7")
    assert "runs under" in obstacle(shim.processes(["train.py"], flags=("-O",))[0])
    assert "option -m" in obstacle(shim.processes(["-m", "training"])[0])


@pytest.mark.mindspore
def test_mindspore_is_trusted_and_its_ranks_compute(shim: Shim) -> None:
    pytest.importorskip("mindspore", reason="needs the extra npu-launch[mindspore]")
    source = "import mindspore as ms\nfrom mindspore import ops\nprint(ops.ones((2, 2)).sum())"
    processes = shim.processes([str(shim.write("train.py", source))], ranks=2)
    template = shim.template(processes, OMP_NUM_THREADS="1")
    assert template["ready"], template
    assert shim.ask("wait", pids=shim.launch("fork", processes, OMP_NUM_THREADS="1")) == [0, 0]
    assert shim.log(1).endswith("4.0\n")
