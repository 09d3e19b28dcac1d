"""A process that has imported what a script imports, and from which ranks are forked; see `warm.py` for the shim's end.

Run as a folder with the recipe's own interpreter and flags, `PYTHON [FLAGS] template CONTROL`, it reads and writes JSON
lines on the socket CONTROL. First it is told for which command line it is meant, `{"tail": [SCRIPT, ARG, ...], "limit":
SECONDS}`; it imports the libraries of that script and answers `{"read": [VARIABLE, ...]}`, or `{"refused": REASON}`
when ranks forked from it could differ from started ones. Imports that take longer than the limit end it by
SIGALRM. From then on

    {"fork": [{"tail", "env", "cwd", "log"}, ...]}      is answered by {"pids": [PID or null, ...]}
    {"go": true}                                        lets those go on, children of the shim by then: {"gone": true}

It imports nothing but itself and the standard library, which is the recipe's.
"""
