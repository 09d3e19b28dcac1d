"""What a host and its NPUs say of themselves right after a failure: asked there, and written into the run there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from launcher.hosts import probe
from launcher.hosts.reading import request as places
from launcher.hosts.this_machine import device_ids, machine_root
from launcher.runs.layout import RunLayout
from launcher.supervise.gather.outcome import Missing

TOOL_SECONDS: Final = 10.0  # that one command may take
EXPORT_SECONDS: Final = 60.0  # that msnpureport may take: it fetches the devices' own logs
MOST_SECONDS: Final = 240.0  # that all of it may take, when nearly every tool hangs
_MOST_SAID: Final = 4 << 20  # bytes of one command that are kept: the last
_AT_ONCE: Final = 8
_PAUSE: Final = 0.05  # seconds between looks at what msnpureport has written

_OF_CARD: Final = ("ecc", "usages")
_OF_DEVICE: Final = ("-link", "-ip", "-net_health", "-stat", "-link_stat", "-optical", "-tls")
_FILES: Final = (places.DRIVER, places.FIRMWARE, places.INSTALL, places.CANN_INSTALL, places.HCCN_CONF)
_CANN: Final = (
    "/usr/local/Ascend/ascend-toolkit/latest/*-linux/ascend_toolkit_install.info",
    "/usr/local/Ascend/cann/*-linux/ascend_toolkit_install.info",
    "/usr/local/Ascend/nnae/latest/ascend_nnae_install.info",
)
_TOOLS: Final = "/usr/local/Ascend/driver/tools/"


def evidence_folder(run: Path, attempt: int, asked: str = "") -> Path:
    """Where snapshots lie, and `gathered.json`: those that were `asked` for while the ranks ran have their own."""
    folder = RunLayout(run).attempt(attempt).directory
    return folder / "asked" / asked if asked else folder


def snapshot_folder(run: Path, attempt: int, host: str, asked: str = "") -> Path:
    """Where the snapshot of a host lies, the same on the host and at the run's home."""
    return evidence_folder(run, attempt, asked) / "hosts" / host


def snapshot(run: Path, attempt: int, host: str, most: int, asked: str = "") -> tuple[Missing, ...]:
    """Ask this host's tools once, and keep what they say in the run; what could not be had.

    One that was taken stays as it is: the first is the nearest to the failure. What msnpureport writes takes `most`
    bytes at most. A host without NPUs has no tools for them, and nothing is missing there. Raises OSError.
    """
    folder = snapshot_folder(run, attempt, host, asked)
    if folder.exists():
        return ()
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".taking-", dir=folder.parent) as taking:
        taken = Path(taking) / host
        taken.mkdir(mode=0o700)
        missing = _Asking(taken).ask(most)
        with suppress(OSError):  # somebody else has taken one at the same time
            taken.rename(folder)
    return missing


class _Asking:
    """One host being asked, into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = probe.Root(str(machine_root()))
        self._devices = device_ids(machine_root())
        self._missing: list[Missing] = []
        libraries = map(self._root.at, places.LIBRARIES)
        paths = [path for path in (os.environ.get("LD_LIBRARY_PATH"), *libraries) if path]
        self._environment = {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(paths)}
        self._environment.pop("ASCEND_RT_VISIBLE_DEVICES", None)  # not to be used together with the tools (hiascend)

    def ask(self, most: int) -> tuple[Missing, ...]:
        self._keep("dmesg.txt", [["dmesg", "--ctime"]])
        self._keep_files()
        if self._devices:
            smi = probe.find_tool(self._root, "npu-smi", list(places.NPU_SMI))
            hccn = probe.find_tool(self._root, "hccn_tool", list(places.HCCN_TOOL))
            table = self._keep("npu-smi.txt", [[smi, "info"], [smi, "info", "-m"]])
            chips = [(card, chip) for card, chip, _ in probe.chips_of(table)]
            about = [[smi, "info", "-t", "health", "-i", card, "-c", chip] for card, chip in chips]  # with error codes
            about += [[smi, "info", "-t", kind, "-i", card] for card in dict(chips) for kind in _OF_CARD]
            self._keep("npu-smi-cards.txt", about)
            ports = [[hccn, "-i", str(device), kind, "-g"] for device in self._devices for kind in _OF_DEVICE]
            self._keep("hccn_tool.txt", ports)
            self._export(most)
        return tuple(self._missing)

    def _keep(self, name: str, commands: Sequence[Sequence[str]]) -> str:
        """Write down what commands say, one after the other in one file; what they said."""
        if not commands:
            return ""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(self._asked, commands))
        failed: defaultdict[str, list[str]] = defaultdict(list)
        for argv, (_, why) in zip(commands, answers, strict=True):
            if why:
                failed[why].append(" ".join(argv))
        for why, those in failed.items():
            more = f" and {len(those) - 1} commands like it" if len(those) > 1 else ""
            self._missing.append(Missing(what=those[0] + more, why=why))
        said = "\n".join(text for text, _ in answers)
        (self._folder / name).write_text(said)
        return said

    def _asked(self, argv: Sequence[str]) -> tuple[str, str]:
        """A command with the end of what it said, and what went wrong with it."""
        with tempfile.TemporaryFile() as output:
            why = _run(argv, output, self._environment, TOOL_SECONDS)
            size = output.seek(0, os.SEEK_END)
            output.seek(max(0, size - _MOST_SAID))
            text = output.read().decode("utf-8", "replace")
        return f"$ {' '.join(argv)}\n{text}{f'({why})' if why else ''}\n", why

    def _keep_files(self) -> None:
        """Copy the files that say versions and addresses; those that are not there say nothing."""
        for path in (*_FILES, *(found for pattern in _CANN for found in self._root.glob(pattern))):
            read = probe.read(self._root.at(path))
            if "text" in read:
                target = self._folder / "files" / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(read["text"])

    def _export(self, most: int) -> None:
        """Have msnpureport write the logs of the devices themselves, where it is installed."""
        tool = probe.find_tool(self._root, "msnpureport", [f"{_TOOLS}msnpureport"])
        if shutil.which(tool) is None:
            return
        folder = self._folder / "msnpureport"
        folder.mkdir()
        with (folder / "said.txt").open("w+b") as output:
            why = _run([tool], output, self._environment, EXPORT_SECONDS, folder, most)
        if why:
            self._missing.append(Missing(what="msnpureport", why=why))


def _run(
    argv: Sequence[str],
    output: IO[bytes],
    environment: Mapping[str, str],
    seconds: float,
    folder: Path | None = None,
    most: int | None = None,
) -> str:
    """Run a command, in a folder of which it may fill so many bytes; why it failed, or nothing.

    Nothing that it has started outlives it, but what hangs in a driver, which dies when the driver lets it.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        return error.strerror or str(error)
    why = _wait(process, seconds, folder, most)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.5)
    return why


def _wait(process: subprocess.Popen[bytes], seconds: float, folder: Path | None, most: int | None) -> str:
    """Wait for a command's end; why it has to be ended, or how it failed."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            code = process.wait(left if most is None else min(left, _PAUSE))
            return f"exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            if folder is not None and most is not None and _bytes_in(folder) > most:
                return f"it was ended when it had written more than {most} bytes"
    return f"it was ended after {seconds:g} s"


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
