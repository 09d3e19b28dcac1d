"""The parent of one host's ranks: a small single-threaded process of the standard library alone.

Run as a folder, `python -I -S shim HOST AFTER SOCKET JOURNAL LOCK PLAN RUN READY [CLAIM...]`. It takes the lock, binds
the socket, says so by a byte on the file descriptor READY, starts the host's part of the plan at once, then serves JSON
lines on the socket to whoever supervises. RUN is the run's directory where the run has its home on this host, else `-`.
A CLAIM is `DESCRIPTOR:PATH`, a lock that whoever starts the shim has taken for it (`claims.py`).

    {"op": "follow", "after": N}            the events after number N, and every later one
    {"op": "launch", "plan": PATH}          the next attempt, when nothing is in its way; "attempt": N, its number
    {"op": "renew"}                         the lease of the ranks, which the shim answers with `renewed`
    {"op": "stop", "reason": TEXT}          SIGTERM, the plan's grace, SIGKILL; with "attempt": N, not of a later one
    {"op": "leave"}                         end when no process is left

Events are numbered from AFTER on, the last number that the run's record has of this host, and kept in a journal on
disk: none is lost while nobody follows, and none is counted twice. The shim imports nothing but itself and the standard
library: it must start in milliseconds and outlive everything else. It has one thread only, because PDEATHSIG fires when
the *thread* that forked ends (prctl(2)).
"""
