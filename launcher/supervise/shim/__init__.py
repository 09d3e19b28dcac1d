"""The parent of one host's ranks: a small single-threaded process of the standard library alone.

Run as a folder, `python -I -S shim HOST AFTER SOCKET JOURNAL LOCK PLAN RUN READY [CLAIM...]`. It takes the lock, binds
the socket, says so by a byte on the file descriptor READY, starts the host's part of the plan at once, then serves JSON
lines on the socket to whoever supervises. RUN is the run's directory where the run has its home on this host, else `-`.
A CLAIM is `DESCRIPTOR:PATH`, a lock that whoever starts the shim has taken for it (`claims.py`).

    {"op": "follow", "after": N}            the events after number N, and every later one; with "watches": true, as
                                            somebody who supervises nothing
    {"op": "launch", "plan": PATH}          the next attempt, when nothing is in its way; "attempt": N, its number
    {"op": "go", "attempt": N}              start attempt N, which waits for it: all its hosts are ready
    {"op": "renew"}                         the lease of the ranks; the answer is `renewed SECONDS`, by the host's clock
    {"op": "stop", "reason": TEXT}          SIGTERM, the plan's grace, SIGKILL; with "attempt": N, not of a later one
    {"op": "report", "fault": {...}}        write down what somebody saw in a rank's log, as the event `fault_seen`
    {"op": "leave"}                         end when no process is left

A gang on several hosts starts in two steps, for no rank may start unless all can: a shim that has taken its claims,
warmed its template and found nothing in the way says `host_ready` and waits for `go`; where something is in the way it
tells of the process as failed, and starts none. What it was told to `go` for it starts as soon as it can, and once.

Events are numbered from AFTER on, the last number that the run's record has of this host, and kept in a journal on
disk: none is lost while nobody follows, and none is counted twice. The shim imports nothing but itself and the standard
library: it must start in milliseconds and outlive everything else. It has one thread only, because PDEATHSIG fires when
the *thread* that forked ends (prctl(2)).
"""
