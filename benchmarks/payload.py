"""One rank of the measured job: the standard library alone, so that the launcher is what takes the time.

    payload.py MODE DIRECTORY [ARGUMENT]

Every rank leaves a file `up.RANK.PID` with the time of its first line of code.

    noop      print a line and end
    sleep S   print a line and sleep
    fault     wait; when the file `go` appears, rank 3 notes the time in `fault` and ends with code 17
    stubborn  the same, and the other ranks ignore SIGTERM and SIGINT
    restart   the same; the ranks of the next attempt print a line and end
    logs N    print N numbered lines of about 120 bytes, and note the time in `end.RANK.PID`
"""

from __future__ import annotations

import time

FIRST_LINE = time.time()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402

PADDING = "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789-abcdefghijklmnopqrstuvwxyz END"
FAULTY_RANK = 3
FAULT_CODE = 17

_RANK_VARIABLES = ("RANK_ID", "RANK")  # msrun and npu-launch; torchrun and the floor


def main() -> None:
    """Entry point."""
    mode, directory, *arguments = sys.argv[1:]
    if os.environ.get("MS_ROLE") == "MS_SCHED":  # msrun runs the script once more, as the scheduler of the ranks
        _note(f"{directory}/scheduler.0.{os.getpid()}", FIRST_LINE)
        return
    rank = int(next(os.environ[name] for name in _RANK_VARIABLES if name in os.environ))
    is_second_attempt = os.path.exists(f"{directory}/fault")  # noqa: PTH110
    if mode == "stubborn" and rank != FAULTY_RANK:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _note(f"{directory}/up.{rank}.{os.getpid()}", FIRST_LINE)

    if mode == "logs":
        for number in range(int(arguments[0])):
            print(f"rank {rank} line {number:07d} {PADDING}")
        sys.stdout.flush()
        _note(f"{directory}/end.{rank}.{os.getpid()}", time.time())
        return
    print(f"rank {rank} is up", flush=True)
    if mode == "noop" or (mode == "restart" and is_second_attempt):
        return
    if mode == "sleep":
        time.sleep(float(arguments[0]))
        return
    if rank != FAULTY_RANK:
        time.sleep(600)
        return
    while not os.path.exists(f"{directory}/go"):  # noqa: PTH110
        time.sleep(0.001)
    print(f"simulated device fault on rank {rank}", file=sys.stderr, flush=True)
    _note(f"{directory}/fault", time.time())
    os._exit(FAULT_CODE)


def _note(path: str, moment: float) -> None:
    """Write a time down; whoever finds the file finds it whole."""
    partial = f"{path}.partial"
    with open(partial, "w") as file:  # noqa: PTH123
        file.write(repr(moment))
    os.replace(partial, path)  # noqa: PTH105


if __name__ == "__main__":
    main()
