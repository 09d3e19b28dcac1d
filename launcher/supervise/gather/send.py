"""Answers, on a host of a run, what a launching machine asks over ssh: `python -m launcher.supervise.gather.send`.

The request is JSON on stdin: one of the calls of `sources` or `snapshot`, and its arguments. The answer is one line of
JSON; after that of `read_pieces` come the bytes that it speaks of.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from launcher.supervise.gather.sources import Found, Wanted, first_errors, listing, read_pieces


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    call, argument = request["call"], request["argument"]
    if call == "listing":
        print(json.dumps(listing(*argument)))
    elif call == "snapshot":
        from launcher.supervise.gather.snapshot import snapshot  # the other calls begin sooner without

        run, *rest = argument
        print(json.dumps([missing.model_dump() for missing in snapshot(Path(run), *rest)]))
    elif call == "first_errors":
        print(json.dumps(first_errors([(Found(*found), most) for found, most in argument])))
    else:
        answer = read_pieces([Wanted(*piece) for piece in argument])
        sys.stdout.buffer.write(json.dumps(answer.lengths).encode() + b"\n" + answer.compressed)


if __name__ == "__main__":
    main()
