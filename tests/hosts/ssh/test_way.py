"""The way to a host: connections, jump hosts, and every step at which it can fail."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_EOF

from launcher.errors import ExitCode
from launcher.hosts.ssh.connections import Connections
from launcher.hosts.ssh.problems import HostKeyError, SshError, Step
from launcher.hosts.ssh.slots import MOST
from launcher.hosts.ssh.transport import _Outlet
from launcher.specs import Ssh
from tests.hosts.ssh.conftest import Trust, host_at, reach_of
from tests.hosts.ssh.server import Server, me, sshd


def failure(connections: Connections, address: str, timeout: float = 20, **ssh: object) -> SshError:
    reach = connections.reach(host_at(address), Ssh(**ssh))
    with pytest.raises(SshError) as caught:
        reach.run(["true"], timeout=timeout)
    assert caught.value.exit_code is ExitCode.INFRASTRUCTURE
    assert caught.value.where == f"host node-a, {caught.value.step.value}"
    assert caught.value.remedy
    return caught.value


@contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Something on a loopback port that is no ssh server: `answer` is what it does with each who comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    answer(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_name_that_is_not_resolved(connections: Connections) -> None:
    error = failure(connections, "no-such-host.invalid")
    assert error.step is Step.RESOLVE
    assert "'no-such-host.invalid' is not resolved" in error.what


def test_a_port_where_nothing_listens(connections: Connections) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = failure(connections, "127.0.0.1", port=port)
    assert (error.step, error.what) == (Step.CONNECT, f"127.0.0.1 port {port} refused the connection")


def test_a_host_that_does_not_answer(connections: Connections) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(2):  # nobody accepts these, so the next one gets no answer
            line = waiting.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        error = failure(connections, "127.0.0.1", timeout=0.5, port=port)
    assert error.step is Step.CONNECT
    assert error.what.startswith(f"127.0.0.1 port {port} did not answer within 0.")


def test_a_network_that_nothing_leads_to(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    error = failure(connections, "192.0.2.1")
    assert (error.step, error.what) == (Step.CONNECT, "no route to 192.0.2.1 port 22")
    assert "jump host" in error.remedy


def test_a_host_that_takes_the_connection_and_says_nothing(connections: Connections) -> None:
    done = threading.Event()
    with listener(lambda line: wait(done)) as port:
        error = failure(connections, "127.0.0.1", timeout=1, port=port)
        done.set()
    assert error.step is Step.GREET
    assert "no answer within" in error.what


def test_a_service_that_is_not_ssh(connections: Connections) -> None:
    with listener(lambda line: line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\x1b[31m\r\n" * 60)) as port:
        error = failure(connections, "127.0.0.1", port=port)
    assert error.step is Step.GREET
    assert "\x1b" not in str(error)


def test_a_server_that_hangs_up_at_once_is_tried_again(home: Path, server: Server) -> None:
    """As sshd does when it has too many logins at once (MaxStartups)."""
    turned_away: list[int] = []
    with listener(lambda line: turned_away.append(1)) as port:
        pauses: list[float] = []
        connections = Connections(home, {}, pause=pauses.append)
        error = failure(connections, "127.0.0.1", port=port)
    assert (error.step, len(turned_away), len(pauses)) == (Step.GREET, 5, 4)
    assert "closed before the greeting" in error.what


def test_ipv6(connections: Connections, key: Path, tmp_path: Path, trust: Trust) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on the loopback interface")
    with sshd(tmp_path / "s", key.with_suffix(".pub"), address="::1") as server:
        trust(server)
        assert reach_of(connections, server).run(["echo", "six"], timeout=20).stdout == b"six\n"


def test_a_server_that_dies_while_a_command_runs(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub")) as server:
        trust(server)
        reach = reach_of(connections, server)
        begun = tmp_path / "begun"
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(reach.run, ["sh", "-c", f"touch {begun}; sleep 1000"], timeout=30)
            wait_for(begun.exists)
            server.end()
            with pytest.raises(SshError, match="was lost while sh ran") as caught:
                answer.result(20)
        assert caught.value.step is Step.RUN


def test_a_connection_that_was_lost_between_two_commands_is_made_again(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub")) as server:
        trust(server)
        reach = reach_of(connections, server)
        session = reach.run(["sh", "-c", "echo $PPID"], timeout=20).stdout.strip()
        assert reach.run(["sh", "-c", "echo $PPID"], timeout=20).stdout.strip() == session
        reach.connection._line.cut()  # type: ignore[union-attr]
        assert reach.run(["sh", "-c", "echo $PPID"], timeout=20).stdout.strip() != session


def test_a_server_that_hangs_after_a_command_is_not_taken_for_one_that_has_no_room(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub")) as server:
        trust(server)
        reach = reach_of(connections, server)
        session = int(reach.run(["sh", "-c", "echo $PPID"], timeout=20).stdout)
        assert session > 1
        os.kill(session, signal.SIGSTOP)
        with pytest.raises(SshError, match="does not answer any more") as caught:
            reach.run(["true"], timeout=0.5)
        os.kill(session, signal.SIGCONT)
        assert caught.value.step is Step.CHANNEL


def test_one_connection_serves_all_commands_of_a_host(connections: Connections, server: Server) -> None:
    reaches = [reach_of(connections, server) for _ in range(3)]
    with ThreadPoolExecutor(8) as pool:
        answers = [
            pool.submit(reach.run, ["sh", "-c", "echo $PPID"], timeout=30) for reach in reaches for _ in range(8)
        ]
        assert len({answer.result().stdout for answer in answers}) == 1


def test_what_a_channel_still_had_to_say_when_it_was_closed_does_not_cost_the_connection(
    connections: Connections, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _Outlet._send_user_message

    def send_late(self: _Outlet, message: paramiko.Message) -> None:
        if message.asbytes()[0] == MSG_CHANNEL_EOF:
            time.sleep(0.2)  # the command ends meanwhile, and both sides close its channel
        send(self, message)

    monkeypatch.setattr(_Outlet, "_send_user_message", send_late)
    reach = reach_of(connections, server)
    assert len({reach.run(["sh", "-c", "echo $PPID"], timeout=30).stdout for _ in range(3)}) == 1


def test_the_last_to_let_go_ends_the_connection(connections: Connections, server: Server) -> None:
    first, second = reach_of(connections, server), reach_of(connections, server)
    assert first.run(["true"], timeout=20).code == 0
    connection = first.connection
    first.close()
    first.close()
    assert connection._transport is not None
    second.close()
    assert connection._transport is None


def test_a_server_with_few_sessions_serves_more_commands_one_after_another(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub"), "MaxSessions 2") as server:
        trust(server)
        reaches = [reach_of(connections, server) for _ in range(MOST)]
        with ThreadPoolExecutor(MOST) as pool:
            asked = [pool.submit(reach.run, ["sh", "-c", "sleep 0.1; echo ok"], timeout=60) for reach in reaches]
            assert {one.result().stdout for one in asked} == {b"ok\n"}


def test_a_server_that_opens_no_session_at_all(home: Path, key: Path, tmp_path: Path, trust: Trust) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub"), "MaxSessions 0") as server:
        trust(server)
        error = failure(Connections(home, {}, pause=lambda _: None), "127.0.0.1", port=server.port)
    assert error.step is Step.CHANNEL
    assert "MaxSessions" in str(error)


def test_a_login_shell_that_runs_no_commands_is_told_from_a_command_that_failed(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub"), "ForceCommand echo not here; exit 1") as server:
        trust(server)
        answer = reach_of(connections, server).run(["true"], timeout=20)
    assert answer.code is None
    assert answer.problem == "true did not begin: the login shell ended with 1: 'not here'"


def test_what_the_login_shell_says_of_itself_is_not_the_commands(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    greeting = 'ForceCommand echo welcome; echo warning >&2; eval "$SSH_ORIGINAL_COMMAND"'
    with sshd(tmp_path / "s", key.with_suffix(".pub"), greeting) as server:
        trust(server)
        answer = reach_of(connections, server).run(["echo", "it's me"], timeout=20)
    assert (answer.stdout, answer.stderr) == (b"it's me\n", b"")


def test_a_jump_host_leads_to_a_host_behind_it(
    connections: Connections, server: Server, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "behind", key.with_suffix(".pub")) as behind:
        trust(behind)
        jump = f"{me()}@127.0.0.1:{server.port}"
        both = [reach_of(connections, behind, name, jump=jump) for name in ("node-a", "node-b")]
        clients = [one.run(["sh", "-c", "echo $SSH_CLIENT"], timeout=20).stdout.split()[1] for one in both]
        assert both[0].connection._jump is both[1].connection._jump
        assert both[0].connection is not both[1].connection
        assert len(clients) == 2


def test_a_chain_of_jump_hosts(
    connections: Connections, server: Server, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with (
        sshd(tmp_path / "two", key.with_suffix(".pub")) as second,
        sshd(tmp_path / "three", key.with_suffix(".pub")) as third,
    ):
        trust(second)
        trust(third)
        jump = f"127.0.0.1:{server.port},ssh://{me()}@127.0.0.1:{second.port}"
        reach = reach_of(connections, third, jump=jump)
        assert reach.run(["echo", "there"], timeout=30).stdout == b"there\n"
        assert [hop.to.port for hop in reach.connection.way()] == [server.port, second.port, third.port]


def test_a_jump_host_that_is_down_is_named_as_the_step(connections: Connections, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = failure(connections, "127.0.0.1", port=server.port, jump=f"127.0.0.1:{port}")
    assert error.step is Step.JUMP
    assert error.what == f"jump host 127.0.0.1, connect: 127.0.0.1 port {port} refused the connection"


def test_a_jump_host_that_forwards_nothing(
    connections: Connections, server: Server, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub"), "AllowTcpForwarding no") as jump:
        trust(jump)
        error = failure(connections, "127.0.0.1", port=server.port, jump=f"127.0.0.1:{jump.port}")
    assert error.step is Step.JUMP
    assert "AllowTcpForwarding" in error.remedy


def test_a_host_that_its_jump_host_does_not_reach(connections: Connections, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = failure(connections, "127.0.0.1", port=port, jump=f"127.0.0.1:{server.port}")
    assert error.step is Step.JUMP
    assert f"jump host 127.0.0.1 does not reach 127.0.0.1 port {port}: 'Connect failed'" in error.what


def test_the_key_of_a_host_behind_a_jump_host_is_verified(
    connections: Connections, server: Server, key: Path, tmp_path: Path
) -> None:
    with sshd(tmp_path / "behind", key.with_suffix(".pub")) as behind:
        reach = reach_of(connections, behind, jump=f"127.0.0.1:{server.port}")
        with pytest.raises(HostKeyError) as caught:
            reach.run(["true"], timeout=20)
        assert f"-J {me()}@127.0.0.1:{server.port}" in caught.value.remedy


def test_new_keys_of_a_jump_host_come_before_those_behind_it(
    connections: Connections, server: Server, home: Path, key: Path, tmp_path: Path
) -> None:
    (home / ".ssh/known_hosts").unlink()
    with sshd(tmp_path / "behind", key.with_suffix(".pub")) as behind:
        where = host_at("127.0.0.1"), Ssh(port=behind.port, jump=f"127.0.0.1:{server.port}")
        new = connections.accept_host_keys(*where, lambda _: True, 20)
        assert [one.fingerprint for one in new] == [server.fingerprint, behind.fingerprint]
        assert connections.reach(*where).run(["true"], timeout=20).code == 0


def test_a_proxy_command_is_the_way(connections: Connections, server: Server, home: Path, tmp_path: Path) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        "line = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def feed():\n"
        "    while data := os.read(0, 65536): line.sendall(data)\n"
        "threading.Thread(target=feed, daemon=True).start()\n"
        "while data := line.recv(65536): os.write(1, data)\n"
    )
    (home / ".ssh/config").write_text(
        f"Host far\n  HostName 127.0.0.1\n  Port {server.port}\n  ProxyCommand python3 {relay} %h %p\n"
    )
    reach = connections.reach(host_at("far"), None)
    assert reach.run(["echo", "far"], timeout=20).stdout == b"far\n"
    command = reach.connection._line.command  # type: ignore[union-attr]
    reach.close()
    assert command is not None
    assert command.poll() is not None


def test_a_proxy_command_that_fails_says_why(home: Path) -> None:
    (home / ".ssh/config").write_text("Host far\n  ProxyCommand echo no way >&2; false\n")
    error = failure(Connections(home, {}, pause=lambda _: None), "far")
    assert error.step is Step.GREET
    assert "'no way'" in error.what


def test_many_who_wait_for_a_host_that_is_down_wait_once(connections: Connections, server: Server) -> None:
    came: list[socket.socket] = []
    with listener(lambda line: came.append(line.dup())) as port:
        reaches = [reach_of(connections, server, f"node-{number}", jump=f"127.0.0.1:{port}") for number in range(8)]

        def run(number: int) -> Step:
            with pytest.raises(SshError) as caught:
                reaches[number].run(["true"], timeout=1.5)
            return caught.value.step

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(run, range(8))) == {Step.JUMP}
    assert len(came) == 1
    came[0].close()


def test_a_command_with_little_time_does_not_wait_for_one_with_much(connections: Connections) -> None:
    done, greeted = threading.Event(), threading.Event()
    with listener(lambda line: wait(done, greeted)) as port, ThreadPoolExecutor(1) as pool:
        patient, other = (connections.reach(host_at("127.0.0.1"), Ssh(port=port)) for _ in range(2))
        waiting = pool.submit(patient.run, ["true"], timeout=30)
        greeted.wait(10)
        with pytest.raises(SshError, match="is still being connected to"):
            other.run(["true"], timeout=0.1)
        assert not waiting.done()
        connections.close()
        done.set()
        assert isinstance(waiting.exception(10), SshError)


def test_closing_ends_what_is_just_being_opened(connections: Connections) -> None:
    done, greeted = threading.Event(), threading.Event()
    with listener(lambda line: wait(done, greeted)) as port, ThreadPoolExecutor(1) as pool:
        reach = connections.reach(host_at("127.0.0.1"), Ssh(port=port))
        answer = pool.submit(reach.run, ["true"], timeout=30)
        greeted.wait(10)
        connections.close()
        done.set()
        with pytest.raises(SshError):
            answer.result(10)


def test_sixty_four_hosts_are_reached_side_by_side(connections: Connections, server: Server) -> None:
    reaches = [reach_of(connections, server, f"node-{number}") for number in range(64)]
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda reach: reach.run(["sh", "-c", "echo $PPID"], timeout=60), reaches))
    assert len({answer.stdout for answer in answers}) == 64
    assert {answer.code for answer in answers} == {0}


def test_a_busy_server_that_turns_logins_away_gets_them_later(
    connections: Connections, key: Path, tmp_path: Path, trust: Trust
) -> None:
    with sshd(tmp_path / "s", key.with_suffix(".pub"), "MaxStartups 3:50:6") as busy:
        trust(busy)
        reaches = [reach_of(connections, busy, f"node-{number}") for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda reach: reach.run(["true"], timeout=60).code, reaches)
            assert set(answers) == {0}


def test_nothing_is_said_on_stderr(connections: Connections, server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    failure(connections, "127.0.0.1", port=server.port, user="nobody-of-that-name")
    reach_of(connections, server).run(["true"], timeout=20)
    connections.close()
    assert capfd.readouterr() == ("", "")


def wait(done: threading.Event, begun: threading.Event | None = None) -> None:
    if begun is not None:
        begun.set()
    done.wait(20)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
