"""A real OpenSSH server on a loopback port, for the tests' own user, with keys of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
SFTP = "internal-sftp"


def need_sshd() -> str:
    """The server's program; without one the test is skipped, but for CI, where it has to run."""
    if SSHD is None:
        if os.environ.get("CI") == "true":
            pytest.fail("sshd is not installed, and CI may not skip the tests of ssh")
        pytest.skip("sshd is not installed (openssh-server)")
    return SSHD


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair in `path` and `path`.pub."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)], check=True)
    return path


@dataclass
class Server:
    """A server that runs."""

    address: str
    port: int
    host_key: Path
    home: Path  # of who logs in
    process: subprocess.Popen[str]
    log: list[str]

    @property
    def known_host(self) -> str:
        """The line of known_hosts that belongs to it."""
        kind, key, *_ = self.host_key.with_suffix(".pub").read_text().split()
        return f"[{self.address}]:{self.port} {kind} {key}\n"

    @property
    def fingerprint(self) -> str:
        """Its key's, as ssh-keygen shows it."""
        command = ["ssh-keygen", "-lf", str(self.host_key)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]

    def end(self) -> None:
        """End it and every connection to it at once, as a power cut would (but that the kernel closes its sockets)."""
        for pid in [self.process.pid, *_descendants(self.process.pid)]:  # so that none lives to tell how another ended
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.wait()


@contextmanager
def sshd(
    folder: Path, authorized: Path | None, *options: str, address: str = "127.0.0.1", host_key: Path | None = None
) -> Iterator[Server]:
    """A server that takes the keys in the file `authorized`, with further lines of sshd_config."""
    program = need_sshd()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd, run by root, wants to be jailed before a login
    folder.mkdir(parents=True, exist_ok=True)
    key = host_key or make_key(folder / "host_key")
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    config = folder / "sshd_config"
    lines = [
        *options,  # of two settings the first holds
        f"ListenAddress {f'[{address}]' if ':' in address else address}:{port}",
        f"HostKey {key}",
        f"AuthorizedKeysFile {authorized or '/dev/null'}",
        f"PidFile {folder / 'pid'}",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "StrictModes no",
        f"SetEnv HOME={folder}",  # not the .bashrc of who runs the tests
        *([] if any(option.startswith("Subsystem") for option in options) else [f"Subsystem sftp {SFTP} -d {folder}"]),
    ]
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    log: list[str] = []
    for line in process.stderr:
        log.append(line)
        if "Server listening" in line:
            break
    else:
        pytest.fail(f"sshd did not start: {log}")
    reader = threading.Thread(target=lambda: log.extend(process.stderr or ()), daemon=True)
    reader.start()
    server = Server(address, port, key, folder, process, log)
    try:
        yield server
    finally:
        server.end()
        reader.join(5)
        process.stderr.close()


def _descendants(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def me() -> str:
    """The user that the tests run as, and log in as."""
    return pwd.getpwuid(os.geteuid()).pw_name
