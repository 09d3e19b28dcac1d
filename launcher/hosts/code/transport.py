"""Speaks with a host about code: requests, and pieces of files, packed once for all hosts that want the same."""

from __future__ import annotations

import hashlib
import inspect
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from launcher.errors import InfrastructureError, SpecError
from launcher.hosts.code import receive
from launcher.hosts.code.tree import File, Tree
from launcher.hosts.provision.outcome import Provided
from launcher.hosts.reach import Reach
from launcher.specs import Host

PARCEL: Final = 16 << 20  # bytes of files that travel at once: what is held in memory
_PATIENCE: Final = 600.0  # seconds for a host to read the whole tree, or for a parcel on a line of 30 KB/s
_START: Final = "import sys; exec(compile(sys.stdin.buffer.read(int(sys.argv[1])), 'npu-launch code', 'exec'))"


@dataclass(frozen=True)
class Receiver:
    """A host that is to have the code."""

    host: Host
    reach: Reach
    provided: Provided

    def ask(self, do: str, parcel: bytes = b"", **request: Any) -> dict[str, Any]:
        """The host's answer to one request. Raises InfrastructureError."""
        source = _source()
        asked = zlib.compress(json.dumps({"do": do, "home": self.provided.home, **request}).encode(), 1)
        answer = self.reach.run(
            [self.provided.python, "-I", "-c", _START, str(len(source))],
            input=b"".join((source, struct.pack(">I", len(asked)), asked, parcel)),
            timeout=_PATIENCE,
        )
        if answer.code != 0:
            said = answer.problem or answer.stderr.decode("utf-8", "replace").strip()[-300:]
            raise InfrastructureError(
                f"the code could not be brought there: {said or f'exit code {answer.code}'}",
                where=f"host {self.host.name}",
                expected=f"Python 3.7 or later as {self.provided.python}",
            )
        found: dict[str, Any] = json.loads(answer.stdout)
        if "problem" in found:
            raise InfrastructureError(
                f"the code could not be brought there: {found['path']}: {found['problem']}",
                where=f"host {self.host.name}",
                expected=f"a folder {self.provided.home} to write to, with room left",
                remedy="free some space or mend the permissions there",
            )
        return found


@cache
def _source() -> bytes:
    return inspect.getsource(receive).encode()


def parcels(tree: Tree, wanted: Iterable[str]) -> Iterator[bytes]:
    """Files of the tree by their contents, compressed, in parcels. Raises SpecError for one that has changed since."""
    by_content = {file.sha256: file for file in tree.files}
    pieces: list[bytes] = []
    size = 0
    for sha in wanted:
        for piece in _pieces(tree, by_content[sha]):
            if size + len(piece) > PARCEL and pieces:
                yield zlib.compress(b"".join(pieces), 1)
                pieces, size = [], 0
            pieces.append(piece)
            size += len(piece)
    if pieces:
        yield zlib.compress(b"".join(pieces), 1)


def _pieces(tree: Tree, file: File) -> Iterator[bytes]:
    digest, offset = hashlib.sha256(), 0
    try:
        with (tree.root / file.path).open("rb") as stream:
            while True:
                content = stream.read(min(PARCEL, file.size - offset))
                digest.update(content)
                is_last = offset + len(content) >= file.size or not content
                if is_last and (digest.hexdigest() != file.sha256 or stream.read(1)):
                    raise _changed(tree, file)
                yield struct.pack(">32sQQQ", bytes.fromhex(file.sha256), offset, file.size, len(content)) + content
                offset += len(content)
                if is_last:
                    return
    except OSError:
        raise _changed(tree, file) from None


def _changed(tree: Tree, file: File) -> SpecError:
    return SpecError(
        "the code changed while it was brought to the hosts",
        where=str(tree.root / file.path),
        remedy="once more, when it is as you want it",
    )
