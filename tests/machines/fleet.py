"""The machines of a test, and what they know of each other: names, keys, who may log in."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest

from tests.machines.machine import Machine
from tests.machines.network import Network, address, address6, command

LAPTOP = "laptop"

_FOLDERS = "nl-machines-"

_SSHD = """\
HostKey /etc/ssh/machine_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
Include /etc/ssh/machine_config
"""


def missing() -> str | None:
    """Why machines cannot be made here; None when they can."""
    if os.geteuid() != 0:
        return "machines of their own need root"
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux"), ("/usr/sbin/sshd", "openssh-server")):
        if shutil.which(program) is None:
            return f"{program} is not here: apt-get install {package}"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
    )
    return f"namespaces cannot be made here: {tried.stderr.strip()}" if tried.returncode else None


def need_machines() -> None:
    """Skip the test where machines cannot be made, with the reason; in CI they can, or it fails."""
    reason = missing()
    if reason:
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)


class Machines:
    """So many machines with sshd, and a laptop without, whose root may log in to each of them.

    `machines["node-1"]` is one of them. `files` are folders whose contents lie over a machine's root, by its name:
    `FOLDER/usr/local/bin/npu-smi` is `/usr/local/bin/npu-smi` there. `shared` are folders that machines have in common,
    as from a file server: path to the names of the machines.
    """

    def __init__(
        self,
        *names: str,
        files: Mapping[str, Sequence[Path]] | None = None,
        shared: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._network = Network()
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDERS}{os.getpid()}-"))
        self._machines: dict[str, Machine] = {}
        try:
            key = self._make_key("key")
            for number, name in enumerate((LAPTOP, *names), start=1):
                self._make(name, number, key, (files or {}).get(name, ()))
            self._introduce(key)
            self._share(shared or {})
            for machine in self._machines.values():
                machine.boot()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> Machine:
        return self._machines[name]

    @property
    def laptop(self) -> Machine:
        """The machine that a person sits at."""
        return self._machines[LAPTOP]

    @property
    def servers(self) -> tuple[Machine, ...]:
        """All others."""
        return tuple(machine for name, machine in self._machines.items() if name != LAPTOP)

    def lengthen(self, name: str, delay: float, loss: float = 0.0) -> None:
        """Put a machine at the end of a cable on which a frame takes so many seconds, and a share of them is lost."""
        self._network.lengthen(list(self._machines).index(name) + 1, delay, loss)

    def close(self) -> None:
        """Nothing of the machines is left."""
        for machine in self._machines.values():
            machine.power_off()
        self._network.close()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Machines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make(self, name: str, number: int, key: Path, files: Sequence[Path]) -> None:
        folder = self._folder / name
        etc, ssh = folder / "files/etc/ssh", folder / "home/.ssh"
        etc.mkdir(parents=True)
        ssh.mkdir(parents=True, mode=0o700)
        (etc / "sshd_config").write_text(_SSHD)
        self._make_key(f"{name}/files/etc/ssh/machine_key")
        (ssh / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
        self._machines[name] = Machine(
            name,
            folder,
            self._network.attach(name, number),
            address(number),
            address6(number),
            (folder / "files", *files),
            has_sshd=name != LAPTOP,
        )

    def _introduce(self, key: Path) -> None:
        """Names that all know; and the laptop's key, and the hosts' keys that it trusts."""
        hosts = "127.0.0.1 localhost\n::1 localhost\n"
        trusted = ""
        for machine in self._machines.values():
            hosts += f"{machine.address} {machine.name}\n"
            public = (self._folder / machine.name / "files/etc/ssh/machine_key.pub").read_text().split()
            trusted += f"{machine.name},{machine.address},{machine.address6} {public[0]} {public[1]}\n"
        for machine in self._machines.values():
            (self._folder / machine.name / "files/etc/hosts").write_text(hosts)
        ssh = self._folder / LAPTOP / "home/.ssh"
        shutil.copy(key, ssh / "id_ed25519")
        (ssh / "known_hosts").write_text(trusted)

    def _share(self, shared: Mapping[str, Sequence[str]]) -> None:
        """What each machine mounts when it boots."""
        for number in range(len(shared)):
            (self._folder / f"shared/{number}").mkdir(parents=True)
        for name in self._machines:
            mounts = [f"{path} {self._folder}/shared/{n}\n" for n, path in enumerate(shared) if name in shared[path]]
            (self._folder / name / "shared").write_text("".join(mounts))

    def _make_key(self, path: str) -> Path:
        key = self._folder / path
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key))
        return key


def _sweep() -> None:
    """Remove the folders of machines whose maker was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}*-*"):
        maker = folder.name.removeprefix(_FOLDERS).partition("-")[0]
        if maker.isdecimal() and not Path(f"/proc/{maker}").exists():
            shutil.rmtree(folder, ignore_errors=True)
