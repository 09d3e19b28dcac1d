"""Gathers what a host says of itself, and understands nothing of it: the part that runs on the host.

The source of this module is piped to `python3 -` there, with the request as JSON (`survey.py`), so it is one file, of
the standard library alone, for Python 3.7 and later. It answers with one line of JSON: texts of files, output of
commands.

Files of the machine (Ascend's, /etc, /dev, /proc, /sys) are read below the folder that the environment variable
NPU_LAUNCH_ROOT names, such as the place at which a container mounts its host's root. Paths that ranks use are not
moved.
"""

# pathlib and contextlib double the time this takes to start; `zip(strict=)` is not in Python 3.7.
# ruff: noqa: B905, SIM105, PTH115, PTH116, PTH118, PTH119, PTH120, PTH123, PTH207, PTH208, RUF007

from __future__ import annotations

import glob
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

TEXT = 1 << 20  # bytes of a file or of a command's output that are taken; more than any of them has
WORKERS = 8  # commands at once
COMMAND_SECONDS = 6.0  # that one command may take
PAUSE_SECONDS = 0.05  # between looks whether a silent command has ended
SIOCGIFCONF = 0x8912  # of linux/sockios.h: every IPv4 address of every interface
IFREQ = 40  # bytes of its struct ifreq on 64 bits: a name in 16, then sockaddr_in
SCAN_SECONDS = 0.5  # for the look at who holds the devices; what is not seen by then stays unseen

# The versions of packages, by the names of their metadata folders: to ask importlib.metadata takes ten times as long.
PACKAGES = r"""
import json, os, re, sys
def packages(names):
    found = {}
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in entries:
            match = re.match(r"([A-Za-z0-9._]+)-([A-Za-z0-9.+!_]+?)(-py[0-9.]+)?\.(dist-info|egg-info)$", entry)
            if match:
                name = re.sub(r"[-_.]+", "_", match.group(1)).lower()
                if name in names:
                    found.setdefault(name, [match.group(2), os.path.join(folder, entry)])
    return {"version": sys.version.split()[0], "executable": sys.executable, "packages": found}
"""


class Root:
    """The folder below which this machine's own files lie."""

    def __init__(self, folder: str) -> None:
        self.folder = folder.rstrip("/")

    def at(self, path: str) -> str:
        """Where a path of the machine is."""
        return self.folder + path

    def glob(self, pattern: str) -> list[str]:
        """Paths of the machine that fit."""
        found = glob.glob(glob.escape(self.folder) + pattern)
        return sorted(path[len(self.folder) :] for path in found)


def read(path: str) -> dict[str, Any]:
    """The text of a file, or why there is none: half of one would be taken for the whole."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(TEXT + 1)
    except OSError as error:
        return {"missing": _is_absent(error), "problem": _why(error)}
    if len(content) > TEXT:
        return {"missing": False, "problem": f"it has more than {TEXT} bytes"}
    return {"text": content.decode("utf-8", "replace")}


def run(argv: list[str], deadline: float, libraries: str = "") -> dict[str, Any]:
    """The output of a command, its error output among it; nothing that it has started outlives it.

    `code` is None for a command that was not started or not ended, and `problem` says why. `libraries` are folders for
    the loader to look into last.
    """
    if time.monotonic() >= deadline:
        return {"argv": argv, "code": None, "text": "", "problem": "there was no time left for it", "absent": False}
    paths = [path for path in (os.environ.get("LD_LIBRARY_PATH"), libraries) if path]
    env = dict(os.environ, LC_ALL="C", LANG="C", **({"LD_LIBRARY_PATH": ":".join(paths)} if libraries else {}))
    env.pop("ASCEND_RT_VISIBLE_DEVICES", None)  # it is not to be used together with DCMI and hccn_tool (hiascend)
    try:
        process: Any = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return {"argv": argv, "code": None, "text": "", "problem": _why(error), "absent": _is_absent(error)}
    text, problem = _output(process, min(deadline, time.monotonic() + COMMAND_SECONDS))
    try:
        os.killpg(process.pid, signal.SIGKILL)  # also what one that has ended leaves behind: it was not waited for yet
    except OSError:
        pass
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:  # stuck in a driver that hangs, it does not die: leave it
        pass
    process.stdout.close()
    code = None if problem else process.returncode
    return {"argv": argv, "code": code, "text": text.decode("utf-8", "replace"), "problem": problem, "absent": False}


def _output(process: Any, deadline: float) -> tuple[bytes, str]:
    """What it prints until it ends, and why it has to be stopped before; a child of it may hold its output open."""
    descriptor, text, is_open = process.stdout.fileno(), b"", True
    while len(text) <= TEXT:
        has_ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if is_open and select.select([descriptor], [], [], 0 if has_ended else PAUSE_SECONDS)[0]:
            piece = os.read(descriptor, TEXT)
            text, is_open = text + piece, bool(piece)
        elif has_ended:
            return text, ""
        elif not is_open:
            time.sleep(0.002)  # it has closed its output, which is not yet its end
        if time.monotonic() >= deadline:
            return text, "it did not end in time"
    return text[:TEXT], f"it printed more than {TEXT} bytes"


def run_all(commands: list[list[str]], deadline: float, libraries: str) -> list[dict[str, Any]]:
    """The commands' outputs, in the order of the commands."""
    answers: list[dict[str, Any]] = [{}] * len(commands)
    waiting = list(range(len(commands)))[::-1]

    def work() -> None:
        while True:
            try:
                number = waiting.pop()
            except IndexError:
                return
            answers[number] = run(commands[number], deadline, libraries)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(WORKERS, len(commands)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return answers


def find_tool(root: Root, name: str, places: list[str]) -> str:
    """The tool's name where PATH has it, else the first of its usual places that does."""
    for folder in os.environ.get("PATH", os.defpath).split(":"):
        if os.access(os.path.join(folder, name), os.X_OK):
            return name
    for place in places:
        if os.access(root.at(place), os.X_OK):
            return root.at(place)
    return name


def chips_of(table: str) -> list[tuple[str, str, str]]:
    """(card, chip, health) of the rows of `npu-smi info`: only to know what else to ask for."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    found: list[tuple[str, str, str]] = []
    for upper, lower in zip(rows, rows[1:]):
        if len(upper) == len(lower) == 3 and re.match(r"\d+ +\S", upper[0]) and re.match(r"[0-9A-Fa-f]{4}:", lower[1]):
            found.append((upper[0].split()[0], lower[0].split()[0], upper[1]))
    return found


def tools(request: dict[str, Any], root: Root, nodes: list[str], deadline: float) -> list[dict[str, Any]]:
    """What npu-smi and hccn_tool say: as few calls as will do, for on real hosts each takes a second."""
    smi = find_tool(root, "npu-smi", request["npu_smi"])
    hccn = find_tool(root, "hccn_tool", request["hccn_tool"])
    devices = [re.sub(r"\D", "", os.path.basename(node)) for node in nodes]
    first = [[smi, *words.split()] for words in request["ask_once"]]
    first += [[hccn, "-i", device, *words.split()] for device in devices for words in request["ask_device"]]
    if not devices:
        first = first[:1]
    libraries = ":".join(map(root.at, request["libraries"]))
    answers = run_all(first, deadline, libraries)
    chips = chips_of(answers[0]["text"]) if answers else []
    second = [[smi, "info", "-t", "health", "-i", card, "-c", chip] for card, chip, health in chips if health != "OK"]
    if chips and "Phy-ID" in answers[0]["text"]:  # two dies an NPU: the table does not tell the chip, nor the super pod
        second.append([smi, "info", "-t", "board", "-i", chips[0][0], "-c", chips[0][1]])
        if request["super_pods"]:
            second += [[smi, "info", "-t", "spod-info", "-i", card, "-c", chip] for card, chip, _ in chips]
    return answers + run_all(second, deadline, libraries)


def holders(root: Root, seconds: float) -> dict[str, Any]:
    """Processes that have a device node open, as far as this user may see: [pid, name, node]."""
    found: list[list[Any]] = []
    end = time.monotonic() + seconds
    try:
        pids = [name for name in os.listdir(root.at("/proc")) if name.isdigit()]
    except OSError:
        pids = []
    for pid in pids:
        if time.monotonic() > end:
            return {"found": found, "complete": False}
        folder = root.at("/proc/" + pid)
        try:
            open_files = [os.readlink(os.path.join(folder, "fd", number)) for number in os.listdir(folder + "/fd")]
        except OSError:  # another user's, or gone
            continue
        for node in sorted({name for name in open_files if re.match(r"/dev/davinci\d+$", name)}):
            found.append([int(pid), read(folder + "/comm").get("text", "").strip(), node])
    return {"found": found, "complete": True}


def listening(root: Root, ports: list[int]) -> list[int]:
    """Which of these TCP ports somebody listens on."""
    found = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(root.at(name)) as stream:
                for line in stream:
                    cells = line.split()
                    if len(cells) > 3 and cells[3] == "0A":
                        found.add(int(cells[1].rpartition(":")[2], 16))
        except (OSError, ValueError):
            continue
    return sorted(found.intersection(ports))


def interfaces(root: Root) -> dict[str, list[str]]:
    """The network interfaces by name, each with its addresses; one may have none."""
    import array
    import fcntl
    import socket
    import struct

    found: dict[str, list[str]] = {name: [] for _, name in socket.if_nameindex()}
    entries = array.array("B", bytes(1 << 16))
    place, size = entries.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        said = fcntl.ioctl(asked, SIOCGIFCONF, struct.pack("iP", size, place))
    for start in range(0, struct.unpack("iP", said)[0], IFREQ):
        entry = bytes(entries[start : start + IFREQ])
        name = entry[:16].partition(b"\0")[0].decode().partition(":")[0]  # eth0:1 is of eth0
        found.setdefault(name, []).append(socket.inet_ntoa(entry[20:24]))
    for line in read(root.at("/proc/net/if_inet6")).get("text", "").splitlines():
        cells = line.split()
        address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(cells[0]))
        found.setdefault(cells[-1], []).append(address)
    return found


def look_at(path: str) -> dict[str, Any]:
    """What is at a path."""
    import stat

    try:
        mode = os.stat(path).st_mode
    except PermissionError:
        return {"kind": "unreadable"}
    except (OSError, ValueError):
        return {"kind": "missing"}
    if not os.access(path, os.R_OK):
        return {"kind": "unreadable"}
    return {"kind": "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"}


def room(path: str) -> dict[str, Any]:
    """The room in the file system that holds a path, or will: of the nearest folder that is there."""
    while True:
        try:
            found = os.statvfs(path)
        except OSError as error:
            above = os.path.dirname(path.rstrip("/"))
            if above in ("", path):
                return {"problem": _why(error)}
            path = above
            continue
        unit = found.f_frsize
        inodes = found.f_favail if found.f_files else None  # btrfs and others do not count them
        return {"total": found.f_blocks * unit, "free": found.f_bavail * unit, "inodes": inodes}


def python_packages(python: str, names: list[str], deadline: float) -> dict[str, Any]:
    """The versions of packages that an interpreter would import; it imports none of them."""
    if python == "python3":
        space: dict[str, Any] = {}
        exec(PACKAGES, space)  # noqa: S102  (a constant of this file)
        found: dict[str, Any] = space["packages"](names)
        return found
    code = PACKAGES + "print(json.dumps(packages({!r})))".format(names)  # noqa: UP032  (braces in the code)
    answer = run([python, "-c", code], deadline)
    try:
        parsed: dict[str, Any] = json.loads(answer["text"].strip().splitlines()[-1])
        return parsed
    except (ValueError, IndexError):
        return {"problem": answer["problem"] or "it ended with {}: {}".format(answer["code"], answer["text"][-300:])}


def follow(root: Root, rules: list[dict[str, Any]], known: dict[str, Any]) -> list[str]:
    """More files to read: those that a key of a file already read, or a variable of the environment, leads to."""
    found = []
    for rule in rules:
        text = known.get(rule.get("file", ""), {}).get("text", "")
        match = re.search(r"^[ \t]*{}[ \t]*=[ \t]*(/\S*)\s*$".format(re.escape(rule["key"])), text, re.MULTILINE)
        start = match.group(1) if match else os.environ.get(rule["key"], "") if "file" not in rule else ""
        if start.startswith("/"):
            for pattern in rule["globs"]:
                found += root.glob(glob.escape(start.rstrip("/")) + pattern)
    return found


def texts(request: dict[str, Any], root: Root) -> dict[str, Any]:
    """The files that are asked for by name, those that fit patterns, and those that either of them lead to."""
    found = {path: read(root.at(path)) for path in request["files"]}
    more = [path for pattern in request["globs"] for path in root.glob(pattern)]
    found.update({path: read(root.at(path)) for path in more + follow(root, request["follow"], found)})
    return found


def gather(request: dict[str, Any]) -> dict[str, Any]:
    """All the evidence that a request asks for; its keys are those that `survey.py` reads."""
    begun, deadline = time.time(), time.monotonic() + request["seconds"]
    root = Root(os.environ.get("NPU_LAUNCH_ROOT", ""))
    nodes = [path for path in root.glob("/dev/davinci*") if re.match(r"/dev/davinci\d+$", path)]
    parts: dict[str, Callable[[], Any]] = {
        "texts": lambda: texts(request, root),
        "tools": lambda: tools(request, root, nodes, deadline),
        "holders": lambda: holders(root, SCAN_SECONDS) if nodes else {"found": [], "complete": True},
        "listening": lambda: listening(root, request["ports"]),
        "interfaces": lambda: interfaces(root),
        "paths": lambda: all_of({path: partial(look_at, path) for path in request["paths"]}, deadline),
        "filesystems": lambda: all_of({path: partial(room, path) for path in request["filesystems"]}, deadline),
        "python": lambda: python_packages(request["python"], request["packages"], deadline),
    }
    answer = all_of(parts, deadline + 0.2)
    answer.update(
        nodes={path: os.access(root.at(path), os.R_OK | os.W_OK) for path in nodes},
        architecture=os.uname().machine,
        begun=begun,
        ended=time.time(),
    )
    return answer


def all_of(parts: dict[str, Callable[[], Any]], deadline: float) -> dict[str, Any]:
    """The parts' answers by name; of one that hangs, as on a file server that is gone, only what the problem is."""
    answers: dict[str, Any] = {
        name: {"problem": "no answer in time: a file system or a device hangs"} for name in parts
    }

    def work(name: str, part: Callable[[], Any]) -> None:
        try:
            answers[name] = part()
        except Exception as error:
            answers[name] = {"problem": f"{type(error).__name__}: {error}"}

    workers = [threading.Thread(target=work, args=item, daemon=True) for item in parts.items()]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(deadline - time.monotonic(), 0))
    return dict(answers)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_absent(error: Exception) -> bool:
    return isinstance(error, (FileNotFoundError, NotADirectoryError))


def main(request: str) -> None:
    """Answer a request with one line, and end without waiting for a part that hangs."""
    sys.stdout.write(json.dumps(gather(json.loads(request))) + "\n")
    sys.stdout.flush()
    os._exit(0)
