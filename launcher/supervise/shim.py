"""The parent of one host's ranks: a small single-threaded process of the standard library alone.

Run by path with `python -I -S shim.py HOST SOCKET JOURNAL LOCK PLAN READY`. It takes the lock, says so by a byte on
the file descriptor READY, starts the host's part of the plan at once, then serves JSON lines on a unix socket to
whoever supervises:

    {"op": "follow", "after": N}            the events after number N, and every later one
    {"op": "launch", "plan": PATH}          the next attempt
    {"op": "stop", "reason": TEXT}          SIGTERM, the plan's grace, SIGKILL
    {"op": "leave"}                         end when no process is left

Events are kept in a journal on disk, so none is lost while nobody follows and none is counted twice. The shim imports
nothing of the launcher: it must start in milliseconds and outlive everything else. One thread only, because PDEATHSIG
fires when the *thread* that forked ends (prctl(2)).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINGER = 60.0  # seconds that an idle shim nobody follows waits for somebody to come
_SERVICE_LINGER = 5.0  # seconds that services have to end by themselves once all ranks have
_DAEMON_GRACE = 0.2  # seconds between SIGTERM and SIGKILL for processes that ranks left behind
_SEND_CHUNK = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """A rank or a service that this shim started; `rank` is None for a service."""

    def __init__(self, name: str, rank: int | None, pid: int, exec_error: int) -> None:
        self.name = name
        self.rank = rank
        self.pid = pid
        self.exec_error = exec_error  # read end of the pipe in which a failed exec leaves its reason
        self.stopped = False


class Client:
    """One connection; `cursor` is the number of events sent to it, or None when it does not follow."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.unsent = b""
        self.cursor: int | None = None


class Shim:
    """Keeps the processes of one host of one run."""

    def __init__(self, host: str, socket_path: str, journal_path: str) -> None:
        self.host = host
        self.socket_path = socket_path
        self.plan: dict[str, Any] = {}
        self.children: dict[int, Child] = {}
        self.clients: dict[int, Client] = {}
        self.busy = False  # an attempt is under way: its `host_idle` is still to come
        self.leaving = False
        self.stopping = False
        self.step = "idle"
        self.timer: tuple[float, Callable[[], None]] | None = None  # what is due next, and when (monotonic seconds)
        self.idle_since = time.monotonic()
        os.makedirs(os.path.dirname(journal_path), mode=0o700, exist_ok=True)
        self.journal = os.open(journal_path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.events = _read_lines(self.journal)
        self.poller = select.poll()
        self.handlers: dict[int, Callable[[int], None]] = {}

    # -- the loop ------------------------------------------------------------------------------------------------

    def serve(self, plan_path: str) -> None:
        """Start the plan, then answer until there is nothing left to keep."""
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what double-forks comes to us, not to init
        signals = self._catch_signals()
        self.launch(plan_path)
        listener = self._listen()
        self._watch(signals, lambda _: self._on_signals(signals))
        self._watch(listener.fileno(), lambda _: self._accept(listener))
        while not self._may_end():
            for fd, mask in self.poller.poll(self._timeout_ms()):
                handler = self.handlers.get(fd)
                if handler is not None:
                    handler(mask)
            self._reap()
            self._advance()
        os.unlink(self.socket_path)
        try:
            os.rmdir(os.path.dirname(self.socket_path))
        except OSError:
            pass  # others have sockets there

    def _may_end(self) -> bool:
        if self.busy or self.children:
            return False
        followed = any(client.cursor is not None for client in self.clients.values())
        if self.leaving:
            return all(not c.unsent and c.cursor in (None, len(self.events)) for c in self.clients.values())
        return not followed and time.monotonic() - self.idle_since > _LINGER

    def _timeout_ms(self) -> int:
        """Milliseconds until something is due, rounded up."""
        if self.timer is not None:
            due = self.timer[0]
        elif not self.busy:
            due = self.idle_since + _LINGER
        else:
            return -1
        return max(0, int((due - time.monotonic()) * 1000) + 1)

    def _watch(self, fd: int, handler: Callable[[int], None]) -> None:
        self.handlers[fd] = handler
        self.poller.register(fd, select.POLLIN)

    def _catch_signals(self) -> int:
        """The file descriptor on which caught signals arrive as bytes."""
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return read

    def _on_signals(self, fd: int) -> None:
        if signal.SIGTERM in os.read(fd, 4096):
            self.stop("npu-launch's shim received SIGTERM")
            self.leaving = True

    # -- processes -----------------------------------------------------------------------------------------------

    def launch(self, plan_path: str) -> None:
        """Start this host's ranks and services of a plan; an attempt that was launched already is left alone."""
        with open(plan_path, encoding="utf-8") as file:
            plan = json.load(file)
        plan["directory"] = os.path.dirname(plan_path)
        if plan["attempt"] <= self.plan.get("attempt", 0):
            return
        if self.busy:
            raise ValueError(f"attempt {self.plan['attempt']} is still running")
        self.plan = plan
        self.busy = True
        self.stopping = False
        self.timer = None
        self.step = "ranks"
        environment = {k: v for k, v in os.environ.items() if k not in self.plan["unset"]}
        for service in self.plan["services"]:
            if service["host"] == self.host:
                self._start(service["name"], None, service, environment)
        for rank in self.plan["ranks"]:
            if rank["host"] == self.host:
                self._start(f"rank {rank['rank']}", rank["rank"], rank, environment)
        self._advance()

    def _start(self, name: str, rank: int | None, process: dict[str, Any], inherited: dict[str, str]) -> None:
        attempt = self.plan["attempt"]
        exec_error, report = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        pid = 0
        try:
            log = _prepare(process, self.plan["directory"])
            shim = os.getpid()
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                pid = os.fork()
                if pid == 0:
                    _become(process, {**inherited, **process["env"]}, log, report, shim)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
                os.close(log)
        except OSError as error:
            reason = f"cannot start: {error}"
            self.emit(
                type="process_exited",
                attempt=attempt,
                name=name,
                rank=rank,
                pid=0,
                code=127,
                error=reason,
                stopped=False,
            )
            os.close(exec_error)
            if rank is not None:
                self._rank_failed(name)
            return
        finally:
            os.close(report)
        self.children[pid] = Child(name, rank, pid, exec_error)
        self.emit(type="process_started", attempt=attempt, name=name, rank=rank, pid=pid)
        if self.stopping:  # a rank before this one could not be started
            self.children[pid].stopped = True
            _signal_group(pid, signal.SIGTERM)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is not None:
                self._exited(child, os.waitstatus_to_exitcode(status), usage.ru_maxrss)

    def _exited(self, child: Child, code: int, max_rss_kib: int) -> None:
        try:
            error = os.read(child.exec_error, 4096).decode(errors="replace") or None
        except BlockingIOError:
            error = None
        os.close(child.exec_error)
        self.emit(
            type="process_exited",
            attempt=self.plan["attempt"],
            name=child.name,
            rank=child.rank,
            pid=child.pid,
            code=code,
            stopped=child.stopped,
            error=error,
            max_rss_kib=max_rss_kib,
        )
        if child.rank is not None and code != 0 and not child.stopped:
            self._rank_failed(child.name)

    def _rank_failed(self, name: str) -> None:
        """In a gang, the others cannot finish without the one that failed: stop them before anything else."""
        if self.plan["gang"]:
            self.stop(f"{name} failed")

    def stop(self, reason: str) -> None:
        """SIGTERM to every process group now, SIGKILL to whatever is left after the plan's grace."""
        if self.stopping or not self.busy:
            return
        self.stopping = True
        self._terminate()
        self._after(float(self.plan["grace"]), self._kill)
        self.emit(type="gang_stopping", attempt=self.plan["attempt"], reason=reason)

    def _terminate(self) -> None:
        for child in self.children.values():
            child.stopped = True
            _signal_group(child.pid, signal.SIGTERM)
        for child in self.children.values():
            _signal_group(child.pid, signal.SIGCONT)  # a suspended process takes its SIGTERM only when it goes on

    def _kill(self) -> None:
        """SIGKILL to every descendant, again and again until none is left: one may fork while we look."""
        for child in self.children.values():
            child.stopped = True
        for pid in _descendants(os.getpid()):
            _signal(pid, signal.SIGKILL)
        self._after(0.05, self._kill)

    # -- the end of an attempt -----------------------------------------------------------------------------------

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do this later; it takes the place of what was to be done before."""
        self.timer = (time.monotonic() + seconds, action)

    def _advance(self) -> None:
        """Do what is due, and take the attempt's next step: ranks end, then services, then what they left behind."""
        if self.timer is not None and time.monotonic() >= self.timer[0]:
            action = self.timer[1]
            self.timer = None
            action()
        if not self.busy:
            return
        if any(child.rank is not None for child in self.children.values()):
            step = "ranks"
        elif self.children:
            step = "services"
        elif _descendants(os.getpid()):
            step = "daemons"
        else:
            step = "idle"
        if step != self.step:
            self.step = step
            self._enter(step)

    def _enter(self, step: str) -> None:
        if step == "services" and not self.stopping and self._holds_all_ranks():
            self._after(_SERVICE_LINGER, lambda: self.stop("all ranks have ended"))
        elif step == "daemons":  # they would hold devices that the next attempt needs
            for pid in _descendants(os.getpid()):
                _signal(pid, signal.SIGTERM)
            self._after(_DAEMON_GRACE, self._kill)
        elif step == "idle":
            self.busy = False
            self.timer = None
            self.idle_since = time.monotonic()
            self.emit(type="host_idle", attempt=self.plan["attempt"])

    def _holds_all_ranks(self) -> bool:
        """Whether no other host has ranks that this host's services serve; with others, the supervisor says when."""
        return {process["host"] for process in self.plan["ranks"]} == {self.host}

    # -- events and clients ----------------------------------------------------------------------------------------

    def emit(self, **event: Any) -> None:
        """Number an event, keep it, and send it to those who follow."""
        event = {k: v for k, v in event.items() if v is not None}
        event.update(host=self.host, host_seq=len(self.events) + 1, time=time.time())
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        self.events.append(line)
        try:
            os.write(self.journal, line)
        except OSError as error:  # a full disk must not cost a run its supervisor: the event is in memory still
            print(f"journal: {error}", file=sys.stderr, flush=True)
        for fd in list(self.clients):
            self._flush(fd)

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        os.makedirs(os.path.dirname(self.socket_path), mode=0o700, exist_ok=True)
        if os.path.lexists(self.socket_path):
            os.unlink(self.socket_path)
        listener.bind(self.socket_path)
        listener.listen(16)
        return listener

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (os.getuid(), 0):
            connection.close()
            return
        connection.setblocking(False)
        fd = connection.fileno()
        self.clients[fd] = Client(connection)
        self._watch(fd, lambda mask: self._on_client(fd, mask))

    def _on_client(self, fd: int, mask: int) -> None:
        client = self.clients[fd]
        if mask & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                data = client.connection.recv(1 << 16)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data == b"":
                self._drop(fd)
                return
            *lines, client.received = (client.received + (data or b"")).split(b"\n")
            for line in lines:
                self._handle(client, line)
        self._flush(fd)

    def _handle(self, client: Client, line: bytes) -> None:
        try:
            message = json.loads(line)
            op = message["op"]
            if op == "follow":
                client.cursor = min(max(int(message["after"]), 0), len(self.events))
            elif op == "launch":
                self.launch(message["plan"])
            elif op == "stop":
                self.stop(str(message["reason"]))
            elif op == "leave":
                self.leaving = True
            else:
                raise ValueError(f"unknown op {op!r}")
        except (ValueError, KeyError, TypeError, OSError) as error:
            self.emit(type="note", text=f"the shim could not do {line[:200].decode(errors='replace')}: {error}")

    def _flush(self, fd: int) -> None:
        """Send as much as the client takes; the rest waits for its next readiness."""
        client = self.clients.get(fd)
        if client is None:
            return
        try:
            while True:
                if not client.unsent and client.cursor is not None and client.cursor < len(self.events):
                    end = min(len(self.events), client.cursor + 512)
                    client.unsent = b"".join(self.events[client.cursor : end])
                    client.cursor = end
                if not client.unsent:
                    self.poller.modify(fd, select.POLLIN)
                    return
                sent = client.connection.send(client.unsent[:_SEND_CHUNK])
                client.unsent = client.unsent[sent:]
        except BlockingIOError:
            self.poller.modify(fd, select.POLLIN | select.POLLOUT)
        except OSError:
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        self.poller.unregister(fd)
        self.handlers.pop(fd)
        self.clients.pop(fd).connection.close()
        self.idle_since = time.monotonic()


def _prepare(process: dict[str, Any], attempt_directory: str) -> int:
    """Make those of the process's folders that belong to the run, and open its log for appending."""
    folders = [os.path.dirname(process["log"]), process.get("cann_log_dir"), process["cwd"]]
    for folder in folders:
        if folder and folder.startswith(attempt_directory + "/"):
            os.makedirs(folder, mode=0o700, exist_ok=True)
    return os.open(process["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _become(process: dict[str, Any], environment: dict[str, str], log: int, report: int, shim: int) -> NoReturn:
    """In the forked child: become the process, or leave the reason in `report` and end with 127."""
    try:
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != shim:  # it died before the line above
            os._exit(127)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            if number < signal.SIGRTMIN:
                signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(process["cwd"])
        os.execvpe(process["argv"][0], process["argv"], environment)  # every other descriptor is close-on-exec
    except BaseException as error:
        os.write(report, f"cannot execute {process['argv'][0]!r} in {process['cwd']!r}: {error}".encode()[:4000])
    finally:
        os._exit(127)


def _descendants(root: int) -> list[int]:
    """Every living process below `root`; zombies are on their way out and do not count."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state not in (b"Z", b"X"):
            children.setdefault(int(parent), []).append(int(name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the process group that `pid` leads; before its setsid, the process alone."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        _signal(pid, number)
    except PermissionError:
        return


def _read_lines(fd: int) -> list[bytes]:
    """The whole lines of a journal; a torn last line is cut off."""
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.ftruncate(fd, len(whole))
    return whole.splitlines(keepends=True)


def main() -> None:
    """Entry point: HOST SOCKET JOURNAL LOCK PLAN READY."""
    host, socket_path, journal_path, lock_path, plan_path, ready = sys.argv[1:]
    os.makedirs(os.path.dirname(lock_path), mode=0o700, exist_ok=True)
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held as long as this shim lives: it is how others know
    shim = Shim(host, socket_path, journal_path)
    os.write(int(ready), b"\n")
    os.close(int(ready))
    shim.serve(plan_path)


if __name__ == "__main__":
    main()
