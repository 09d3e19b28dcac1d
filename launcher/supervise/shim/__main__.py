"""Entry point of the shim, and its loop."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import time
from typing import Any

# Run as a folder, in isolated mode: the package is found from here, and nothing of site-packages is.
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")))

from launcher.supervise.shim.attempts import Attempts
from launcher.supervise.shim.claims import Claims
from launcher.supervise.shim.clients import Client, Clients
from launcher.supervise.shim.journal import Journal
from launcher.supervise.shim.lease import Lease
from launcher.supervise.shim.memory import OomWatch
from launcher.supervise.shim.processes import adopt_orphans

_LINGER = 60.0  # seconds that an idle shim nobody follows waits for somebody to come
_CALLS = 3  # how often it calls for somebody then, where it can
_GLANCE = 5.0  # seconds between looks at the lease: the poller's clock stands still while the machine is suspended


class Shim:
    """Keeps the processes of one host of one run."""

    def __init__(self, host: str, socket_path: str, journal: Journal, run: str, claims: Claims) -> None:
        self._journal = journal
        self._clients = Clients(socket_path, journal.lines, self._handle)
        self._oom = OomWatch()
        self._attempts = Attempts(host, self._emit, self._oom, claims)
        self._lease = Lease(run)
        self._is_leaving = False
        self._calls = 0
        self._called_at = 0.0  # monotonic seconds

    def serve(self, plan_path: str) -> None:
        """Start the plan, then answer until there is nothing left to keep."""
        adopt_orphans()
        signals = _catch_signals()
        self._attempts.launch(plan_path)  # before anything that ranks need not wait for
        poller = self._clients.poller
        poller.register(signals, select.POLLIN)
        template = -1
        while not self._may_end():
            template = self._watch(template)
            ready = poller.poll(self._timeout_ms())
            if self._attempts.is_busy and self._lease.left(self._attempts.lease) <= 0:  # a word comes too late now
                self._on_lease_expired()
            for fd, mask in ready:
                if fd == signals:
                    self._on_signals(os.read(signals, 4096))
                elif fd == template:
                    self._attempts.on_template()
                else:
                    self._clients.serve(fd, mask)
            self._attempts.reap()
            self._attempts.advance()
            self._clients.send_news()
            if not self._attempts.is_busy and not self._clients.are_following and time.monotonic() >= self._lonely_at:
                self._on_lonely()
        self._clients.close()

    def _watch(self, before: int) -> int:
        """Poll the template that is importing now, instead of the one before; the descriptor, or -1."""
        now = self._attempts.template_fd
        if now != before:
            if before >= 0:
                self._clients.poller.unregister(before)
            if now >= 0:
                self._clients.poller.register(now, select.POLLIN)
        return now

    def _may_end(self) -> bool:
        return self._is_leaving and not self._attempts.is_busy and self._clients.have_everything

    def _timeout_ms(self) -> int:
        """Milliseconds until something is due, rounded up; -1 when nothing is."""
        now = time.monotonic()
        left = []
        if self._attempts.due is not None:
            left.append(self._attempts.due - now)
        if self._attempts.is_busy:
            left += [self._lease.left(self._attempts.lease), _GLANCE]
        elif not self._clients.are_following:
            left.append(self._lonely_at - now)
        return max(0, int(min(left) * 1000) + 1) if left else -1

    @property
    def _lonely_at(self) -> float:
        """When an idle shim that nobody follows has waited long enough (monotonic seconds)."""
        return max(self._attempts.idle_since, self._clients.alone_since, self._called_at) + _LINGER

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers:
            self._attempts.stop("npu-launch's shim received SIGTERM")
            self._is_leaving = True

    def _on_lease_expired(self) -> None:
        """Where the run has its home nobody can have started a twin: have it kept again. Elsewhere, end the ranks."""
        if self._lease.is_at_home:
            self._lease.revive()
        else:
            reason = f"nothing was heard of the supervisor for {self._attempts.lease:g} s (lease)"
            self._attempts.stop(reason, fenced=True)
            self._lease.renew()

    def _on_lonely(self) -> None:
        """Nobody said that the run is over: where it has its home, have it kept again, or nobody would restart it."""
        if self._is_leaving:
            return
        if not self._lease.is_at_home or self._calls == _CALLS:
            self._is_leaving = True
            return
        self._calls += 1
        self._called_at = time.monotonic()
        self._lease.revive()

    def _emit(self, **event: Any) -> None:
        self._journal.append(**event)

    def _handle(self, client: Client, line: bytes) -> None:
        try:
            message = json.loads(line)
            op = message["op"]
            if op == "follow":
                client.cursor = min(max(int(message["after"]) - self._journal.after, 0), len(self._journal.lines))
                client.watches = message.get("watches") is True
            elif op == "renew":
                self._lease.renew()
                self._oom.refresh()
                client.unsent += b"renewed %.6f\n" % time.time()
            elif op == "launch":
                self._lease.renew()
                self._attempts.launch(message["plan"], message.get("attempt"))
            elif op == "go":
                self._attempts.go(int(message["attempt"]))
            elif op == "stop":
                stacks = message.get("stacks") is True
                self._attempts.stop(str(message["reason"]), attempt=message.get("attempt"), stacks=stacks)
            elif op == "report":
                self._emit(type="fault_seen", **message["fault"])
            elif op == "leave":
                self._is_leaving = True
            else:
                raise ValueError(f"unknown op {op!r}")
        except (ValueError, KeyError, TypeError, OSError) as error:
            self._emit(type="note", text=f"the shim could not do {line[:200].decode(errors='replace')}: {error}")


def _catch_signals() -> int:
    """The file descriptor on which caught signals arrive as bytes."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return read


def main() -> None:
    """HOST AFTER SOCKET JOURNAL LOCK PLAN RUN READY [CLAIM...], as the package says."""
    host, after, socket_path, journal_path, lock_path, plan_path, run, ready, *inherited = sys.argv[1:]
    claims = Claims({path: int(descriptor) for descriptor, _, path in (claim.partition(":") for claim in inherited)})
    os.makedirs(os.path.dirname(lock_path), mode=0o700, exist_ok=True)
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held as long as this shim lives: it is how others know
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    shim = Shim(host, socket_path, Journal(journal_path, host, int(after)), run, claims)
    os.write(int(ready), b"\n")
    os.close(int(ready))
    shim.serve(plan_path)


if __name__ == "__main__":
    main()
