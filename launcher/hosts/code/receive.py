"""Makes snapshots of code below a host's home: the part that runs on the host.

The source of this module is piped to the host's Python, and a request after it (`transport.py`), so it is one file, of
the standard library alone, for Python 3.7 and later. It answers with one line of JSON.

    <home>/code/<digest>/         a snapshot, which appears whole and is not changed any more
    <home>/code/<digest>.json     what belongs to it; its time is that of the snapshot's last use
    <home>/code/objects/<sha256>  what has arrived and is no part of a snapshot yet

Names are bytes throughout, for they need be no text.
"""

# pathlib knows no names that are bytes, and contextlib doubles the time this takes to start.
# ruff: noqa: PTH103, PTH104, PTH105, PTH108, PTH110, PTH112, PTH114, PTH115, PTH116, PTH118, PTH123, PTH208, PTH211
# ruff: noqa: SIM105

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

KEPT = 5  # snapshots, beside those in use
WORKERS = 8  # files read at once, where a file server may answer slowly
STAMP = 946684800  # the modification time of every file of a snapshot, by which a change is seen
ABANDONED = 86400.0  # seconds after which what arrived and was not used is removed
PIECE = 1 << 20
TAIL = 1 << 16  # bytes at the end of a record in which its end is told
OURS = b"%x-%d" % (int.from_bytes(os.urandom(4), "big"), os.getpid())  # another host may share the folder


def main(stream: BinaryIO) -> None:
    """Answer the request that the stream holds: its length, itself as compressed JSON, and pieces of files."""
    os.umask(0o077)
    (length,) = struct.unpack(">I", stream.read(4))
    request = json.loads(zlib.decompress(stream.read(length)))
    store = Store(encoded(request["home"]))
    try:
        store.take(stream.read())
        answer = {"compare": store.compare, "take": lambda _: {}, "make": store.make}[request["do"]](request)
    except OSError as error:
        path = decoded(error.filename) if isinstance(error.filename, bytes) else error.filename
        answer = {"problem": error.strerror or str(error), "path": path or decoded(store.folder)}
    print(json.dumps(answer), flush=True)


class Store:
    """The snapshots of one home."""

    def __init__(self, home: bytes) -> None:
        self.runs = os.path.join(home, b"runs")
        self.folder = os.path.join(home, b"code")
        self.objects = os.path.join(self.folder, b"objects")

    def compare(self, request: dict[str, Any]) -> dict[str, Any]:
        """What of a tree is here: the same at its own path, as a snapshot, or the content of some of its files."""
        links = [encoded(target) for _, target in request["links"]]
        answer: dict[str, Any] = {
            "dangling": [decoded(target) for target in links if target[:1] == b"/" and not os.path.exists(target)],
            "in_place": is_in_place(encoded(request["root"]), request),
            "used": sorted(self.used()),
        }
        snapshot = self.path(request["digest"])
        answer["present"] = has_frame(snapshot, request) and not unlike(snapshot, request)
        if answer["present"]:
            try:
                os.utime(snapshot + b".json")
            except OSError:
                pass  # it counts as older than it is
        else:
            answer["missing"] = self.missing(request)
        return answer

    def take(self, parcel: bytes) -> None:
        """Keep the pieces of files that came along; a file counts when it is whole and what it should be."""
        if not parcel:
            return
        os.makedirs(self.objects, exist_ok=True)
        pieces = zlib.decompress(parcel)
        at = 0
        while at < len(pieces):
            sha, offset, total, length = struct.unpack_from(">32sQQQ", pieces, at)
            at += struct.calcsize(">32sQQQ")
            self.keep(sha.hex(), offset, total, memoryview(pieces)[at : at + length])
            at += length

    def keep(self, sha: str, offset: int, total: int, content: memoryview) -> None:
        part = os.path.join(self.objects, b".part-" + sha.encode())
        if len(content) == total:  # a whole file, which nobody else is to see half
            part += b"-" + OURS
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.seek(offset)
                file.write(content)
        except OSError:
            os.unlink(part)  # a disk that is full is not to stay so
            raise
        if offset + len(content) == total:
            if sha_of(part) == sha:
                os.replace(part, self.object(sha))
            else:
                os.unlink(part)  # it will be asked for again

    def make(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have the snapshot made, or mended, and old ones removed; or say what is missing for it."""
        os.makedirs(self.objects, exist_ok=True)
        lock = os.open(os.path.join(self.folder, b"lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.sweep()
            missing = self.missing(request) or self.build(request)
            if missing:
                return {"missing": missing}
            self.remove_old(self.used().union(request["keep"], [request["digest"]]))
            return {"missing": []}
        except OSError:
            self.sweep()  # a disk that is full is not to stay so
            raise
        finally:
            os.close(lock)

    def missing(self, request: dict[str, Any]) -> list[str]:
        """The contents that the snapshot lacks and that are nowhere here."""
        wanted = {sha for _, _, sha, _ in unlike(self.path(request["digest"]), request)}
        return sorted(sha for sha in wanted - set(self.sources()) if not os.path.exists(self.object(sha)))

    def build(self, request: dict[str, Any]) -> list[str]:
        """Put the files where they belong, at first in a folder that nobody looks into; or say what is missing yet.

        Each is a file of its own, a copy and no hard link: a job that writes into its code changes that alone.
        """
        snapshot, sources = self.path(request["digest"]), self.sources()
        is_new = not os.path.isdir(snapshot)
        folder = os.path.join(self.folder, b".new-" + OURS) if is_new else snapshot
        for path in [b"", *map(encoded, request["folders"])]:
            os.makedirs(os.path.join(folder, path), exist_ok=True)
        for path, target in request["links"]:
            make_link(os.path.join(folder, encoded(path)), encoded(target))
        lacking, missing, partial = unlike(folder, request), set(), os.path.join(self.folder, b".new-file-" + OURS)
        for path, _, sha, is_executable in lacking:
            has_come = os.path.exists(self.object(sha))
            if copy(self.object(sha) if has_come else sources[sha], partial, is_executable) == sha:
                os.replace(partial, os.path.join(folder, encoded(path)))
            else:  # a job has changed it, and the time of its change
                missing.add(sha)
        if missing:
            return sorted(missing)
        with open(partial, "w") as file:
            json.dump({kind: request[kind] for kind in ("folders", "files", "links")}, file)
        os.replace(partial, snapshot + b".json")
        if is_new:
            os.rename(folder, snapshot)
        for sha in {sha for _, _, sha, _ in lacking}:
            remove(os.unlink, self.object(sha))
        return []

    def sources(self) -> dict[str, bytes]:
        """Where snapshots have files as they were made, by their content."""
        found = {}
        for digest in self.digests():
            snapshot = self.path(digest)
            for path, size, sha, _ in self.manifest(digest)["files"]:
                if sha not in found and is_as_made(os.path.join(snapshot, encoded(path)), size):
                    found[sha] = os.path.join(snapshot, encoded(path))
        return found

    def used(self) -> set[str]:
        """The snapshots of runs that have not ended, as far as this host knows."""
        found = set()
        for run in list_folder(self.runs):
            folder = os.path.join(self.runs, run)
            if not has_ended(os.path.join(folder, b"events.jsonl")):
                found |= mentioned(os.path.join(folder, b"recipe.yaml"))
            if any(
                is_held(os.path.join(folder, b"hosts", host, b"shim.lock")) for host in list_folder(folder + b"/hosts")
            ):
                for attempt in list_folder(folder + b"/attempts"):
                    found |= mentioned(os.path.join(folder, b"attempts", attempt, b"plan.json"))
        return found

    def remove_old(self, in_use: set[str]) -> None:
        """Remove all snapshots but the newest and those in use; what a job has written into one stays."""
        digests = sorted(self.digests(), key=lambda digest: os.stat(self.path(digest) + b".json").st_mtime)
        for digest in digests[:-KEPT]:
            if digest in in_use:
                continue
            snapshot, manifest = self.path(digest), self.manifest(digest)
            for path, *_ in [*manifest["files"], *manifest["links"]]:
                remove(os.unlink, os.path.join(snapshot, encoded(path)))
            for folder, names, _ in os.walk(snapshot, topdown=False):
                if b"__pycache__" in names:
                    shutil.rmtree(os.path.join(folder, b"__pycache__"), ignore_errors=True)
                remove(os.rmdir, folder)
            remove(os.unlink, snapshot + b".json")

    def sweep(self) -> None:
        """Remove what those have left that were killed; the lock is ours, so nobody makes a snapshot now."""
        for name in list_folder(self.folder):
            if name.startswith(b".new-"):
                remove(os.unlink, os.path.join(self.folder, name))
                shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
        for name in list_folder(self.objects):
            path = os.path.join(self.objects, name)
            try:
                if os.stat(path).st_mtime < time.time() - ABANDONED:
                    os.unlink(path)
            except OSError:
                pass

    def digests(self) -> list[str]:
        """The snapshots that were made here."""
        names = (re.match(rb"([0-9a-f]{16})\.json$", name) for name in list_folder(self.folder))
        return sorted(name.group(1).decode() for name in names if name)

    def manifest(self, digest: str) -> dict[str, Any]:
        with open(self.path(digest) + b".json") as file:
            manifest: dict[str, Any] = json.load(file)
        return manifest

    def path(self, digest: str) -> bytes:
        return os.path.join(self.folder, digest.encode())

    def object(self, sha: str) -> bytes:
        return os.path.join(self.objects, sha.encode())


def encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def is_in_place(root: bytes, request: dict[str, Any]) -> bool:
    """Whether the tree lies at this path already, as on a file system that hosts share."""

    def is_same(file: list[Any]) -> bool:
        path: str = file[0]
        try:
            return sha_of(os.path.join(root, encoded(path))) == str(file[2])
        except OSError:
            return False

    try:
        for path, size, _, is_executable in request["files"]:
            seen = os.lstat(os.path.join(root, encoded(path)))
            if not stat.S_ISREG(seen.st_mode) or seen.st_size != size or bool(seen.st_mode & 0o100) != is_executable:
                return False
    except OSError:
        return False
    if not has_frame(root, request):
        return False
    with ThreadPoolExecutor(WORKERS) as pool:
        return all(pool.map(is_same, request["files"]))


def has_frame(root: bytes, request: dict[str, Any]) -> bool:
    """Whether the folders and links of the request are below a path."""
    if not all(os.path.isdir(os.path.join(root, path)) for path in [b"", *map(encoded, request["folders"])]):
        return False
    links = request["links"]
    return all(is_link_to(os.path.join(root, encoded(path)), encoded(target)) for path, target in links)


def unlike(snapshot: bytes, request: dict[str, Any]) -> list[list[Any]]:
    """The files of the request that a snapshot does not have as they were made."""
    return [
        file for file in request["files"] if not is_as_made(os.path.join(snapshot, encoded(file[0])), file[1], file[3])
    ]


def is_as_made(path: bytes, size: int, is_executable: Any = None) -> bool:
    """Whether a file of a snapshot is as it was made; not what it holds, but that nobody has written to it."""
    try:
        seen = os.lstat(path)
    except OSError:
        return False
    if is_executable is not None and bool(seen.st_mode & 0o100) != is_executable:
        return False
    return stat.S_ISREG(seen.st_mode) and seen.st_size == size and seen.st_mtime == STAMP


def make_link(path: bytes, target: bytes) -> None:
    if not is_link_to(path, target):
        remove(os.unlink, path)
        os.symlink(target, path)


def is_link_to(path: bytes, target: bytes) -> bool:
    return os.path.islink(path) and os.readlink(path) == target


def copy(source: bytes, target: bytes, is_executable: bool) -> str:
    """Copy a file of a snapshot; what the copy holds."""
    digest = hashlib.sha256()
    with open(source, "rb", buffering=0) as given, open(target, "wb") as taken:
        for piece in iter(lambda: given.read(PIECE), b""):
            digest.update(piece)
            taken.write(piece)
        taken.flush()  # before its time is set
        os.fchmod(taken.fileno(), 0o755 if is_executable else 0o644)
        os.utime(taken.fileno(), (STAMP, STAMP))
    return digest.hexdigest()


def sha_of(path: bytes) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
    return digest.hexdigest()


def mentioned(path: bytes) -> set[str]:
    """The snapshots that a file names."""
    try:
        with open(path, "rb") as file:
            return {digest.decode() for digest in re.findall(rb"/code/([0-9a-f]{16})\b", file.read())}
    except OSError:
        return set()


def has_ended(record: bytes) -> bool:
    """Whether a run's record says that it is over, and not that somebody has started it again since."""
    try:
        with open(record, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            events = re.findall(rb'"type":"(run_ended|attempt_started)"', file.read())
    except OSError:
        return False
    return events[-1:] == [b"run_ended"]


def is_held(lock: bytes) -> bool:
    """Whether a living process holds the lock on a file."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def list_folder(path: bytes) -> list[bytes]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def remove(how: Any, path: bytes) -> None:
    try:
        how(path)
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.stdin.buffer)
