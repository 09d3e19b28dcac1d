"""A long and bad cable: carries frames between two interfaces, each some time later, and loses some of them.

Run as `python cable.py INTERFACE INTERFACE DELAY LOSS SEED`: seconds that a frame takes, and the share that is lost.
What `tc netem` does in kernels that have it.
"""

from __future__ import annotations

import heapq
import random
import select
import socket
import sys
import time
from itertools import count

_ALL_PROTOCOLS = 0x0003
_OUTGOING = 4  # a frame that this machine sent itself
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_LARGEST = 1 << 17  # bytes: segments are joined to larger ones on the way, and the header that comes first tells how


def _open(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
    end.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)  # checksums may be left to the card, which there is none
    end.bind((interface, 0))
    end.setblocking(False)
    return end


def carry(one: socket.socket, other: socket.socket, delay: float, loss: float, chance: random.Random) -> None:
    """For ever."""
    opposite = {one: other, other: one}
    order = count()
    due: list[tuple[float, int, socket.socket, bytes]] = []
    while True:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        for end in select.select([one, other], [], [], wait)[0]:
            frame, address = end.recvfrom(_LARGEST)
            if address[2] != _OUTGOING and chance.random() >= loss:
                heapq.heappush(due, (time.monotonic() + delay, next(order), opposite[end], frame))
        while due and due[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(due)
            try:
                end.send(frame)
            except OSError:  # the other end is unplugged, or full: what is sent there is lost
                continue


def main() -> None:
    """Entry point."""
    one, other = map(_open, sys.argv[1:3])
    delay, loss, seed = map(float, sys.argv[3:6])
    print("carries", flush=True)
    carry(one, other, delay, loss, random.Random(seed))


if __name__ == "__main__":
    main()
