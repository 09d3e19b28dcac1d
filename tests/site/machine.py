"""Makes the Python of a simulated host see that host's clock, disks, paths, packages, addresses and architecture.

It is copied into each host as `sitecustomize.py`, which every Python started there reads before anything else: what is
no file below the host's root, and so cannot be simulated by one.
"""

# Every Python of the host reads this, and pathlib is slow to import.
# ruff: noqa: PTH100, PTH118, PTH120, PTH123

import errno
import fcntl
import json
import os
import sys
import time

_HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(_HERE, "machine.json"), encoding="utf-8") as _stream:
    _MACHINE = json.load(_stream)

_SIOCGIFCONF = 0x8912

_stat, _statvfs, _time, _uname, _ioctl = os.stat, os.statvfs, time.time, os.uname, fcntl.ioctl


def _is_below(path, folder):
    path, folder = os.path.normpath(os.fsdecode(path)), os.path.normpath(folder)
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _check(path):
    if isinstance(path, (str, bytes, os.PathLike)) and any(_is_below(path, gone) for gone in _MACHINE["missing"]):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", os.fsdecode(path))


def stat(path, *args, **kwargs):
    _check(path)
    return _stat(path, *args, **kwargs)


def statvfs(path):
    _check(path)
    folders = [folder for folder in _MACHINE["disk_free"] if _is_below(path, folder)]
    if not folders:
        return _statvfs(path)
    free = _MACHINE["disk_free"][max(folders, key=len)] // 4096
    return os.statvfs_result((4096, 4096, max(free, 10**9), free, free, 10**8, 10**7, 10**7, 0, 255))


def uname():
    real = _uname()
    return os.uname_result((real.sysname, real.nodename, real.release, real.version, _MACHINE["architecture"]))


def ioctl(file, request, *args):
    """Answers SIOCGIFCONF with the host's IPv4 addresses: lo has the first, eth0 the others."""
    if request != _SIOCGIFCONF:
        return _ioctl(file, request, *args)
    import ctypes
    import socket
    import struct

    size, place = struct.unpack("iP", args[0])
    names = {address: b"eth0" if number else b"lo" for number, address in enumerate(_MACHINE["own_addresses"])}
    entries = b"".join(
        struct.pack("16sHxx4s16x", name, socket.AF_INET, socket.inet_aton(address))
        for address, name in names.items()
        if ":" not in address
    )[:size]
    ctypes.memmove(place, entries, len(entries))
    return struct.pack("iP", len(entries), place)


os.stat, os.statvfs, os.uname, fcntl.ioctl = stat, statvfs, uname, ioctl
time.time = lambda: _time() + _MACHINE["clock_offset"]
sys.path[:] = [p for p in sys.path if not p.endswith(("site-packages", "dist-packages"))]
sys.path.append(os.path.join(_HERE, "site-packages"))
