"""A command on another host is talked with while it runs: byte by byte, at pipes or at a terminal."""

from __future__ import annotations

import select
import signal
import time
from pathlib import Path

import pytest

from launcher.hosts.session import Window
from launcher.hosts.ssh.connections import Connections, SshReach
from launcher.hosts.ssh.problems import SshError
from launcher.hosts.ssh.session import SshSession
from tests.hosts.ssh.conftest import Trust, reach_of
from tests.hosts.ssh.server import Server, sshd

WINDOW = Window("xterm", 91, 33)


def talk(session: SshSession, until: bytes | None = None) -> tuple[bytes, bytes]:
    """What it says until its end, or until it has said this."""
    out = err = b""
    deadline = time.monotonic() + 20
    while until is None or until not in out:
        assert time.monotonic() < deadline, (out, err)
        if (said := session.take()) is None:
            assert until is None, (out, err)
            break
        out, err = out + said[0], err + said[1]
        if not any(said):
            select.select([session], [], [], 0.5)
    return out, err


def test_every_byte_arrives_on_the_output_that_it_was_written_to(reach: SshReach) -> None:
    script = r"printf '\000\377\r\n\036'; printf '\001err' >&2; exit 7"
    session = reach.converse(["sh", "-c", script], None, 20)
    assert talk(session) == (b"\x00\xff\r\n\x1e", b"\x01err")
    assert session.code() == 7
    session.close()


def test_much_output_and_input_pass(reach: SshReach) -> None:
    session = reach.converse(["sh", "-c", "head -c 3000000 /dev/zero; read line; echo got $line"], None, 20)
    session.send(b"this\n")
    out, _ = talk(session)
    assert out == bytes(3_000_000) + b"got this\n"


def test_the_end_of_input_is_seen_there(reach: SshReach, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    session = reach.converse(["sh", "-c", f"echo begun; cat > /dev/null; touch {seen}"], None, 20)
    talk(session, b"begun")
    session.close()
    deadline = time.monotonic() + 20
    while not seen.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_terminal_has_the_size_of_ours_and_follows_it(reach: SshReach) -> None:
    script = 'trap "stty size" WINCH; stty size; echo $TERM; while :; do read line; [ "$line" != end ] || exit 0; done'
    session = reach.converse(["bash", "-c", script], WINDOW, 20)
    assert talk(session, b"xterm")[0].startswith(b"33 91\r\nxterm")
    session.resize(Window("xterm", 100, 40))
    session.send(b"\n")  # bash runs a trap when its read ends
    assert b"40 100" in talk(session, b"40 100")[0]
    session.send(b"end\n")
    talk(session)
    assert session.code() == 0


def test_an_interrupt_that_is_typed_interrupts(reach: SshReach) -> None:
    session = reach.converse(["sh", "-c", "echo begun; exec sleep 600"], WINDOW, 20)
    talk(session, b"begun")
    session.send(b"\x03")
    talk(session)
    assert session.code() == -signal.SIGINT


def test_a_login_shell_that_runs_nothing_is_told_with_its_words(
    connections: Connections, tmp_path: Path, key: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "other", key.with_suffix(".pub"), "ForceCommand echo go away; exit 1") as server:
        trust(server)
        session = reach_of(connections, server).converse(["true"], None, 20)
        talk(session)
        with pytest.raises(SshError, match="go away"):
            session.code()


def test_a_server_that_ends_is_an_error_and_no_exit_code(
    connections: Connections, tmp_path: Path, key: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "other", key.with_suffix(".pub")) as server:
        trust(server)
        session = reach_of(connections, server).converse(["sh", "-c", "echo begun; exec sleep 600"], None, 20)
        talk(session, b"begun")
        server.end()
        talk(session)
        with pytest.raises(SshError, match="was lost while sh ran"):
            session.code()


def test_a_closed_session_gives_its_place_back(connections: Connections, server: Server) -> None:
    reach = reach_of(connections, server)
    for _ in range(12):  # a connection has room for ten
        reach.converse(["sleep", "600"], None, 5).close()
    assert reach.run(["true"], timeout=5).code == 0
