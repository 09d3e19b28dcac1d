"""Another host, played by another folder: what is called there sees that folder in place of the home's."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from launcher.runs.store import RunDirectory
from launcher.supervise.link import LinkLost, Message
from launcher.supervise.mirror.news import Piece, Want

Result = TypeVar("Result")


class FarHost:
    """A link to a host whose files lie below `root`; `lost` is as if its cable were pulled."""

    is_home = False

    def __init__(self, home: Path, root: Path) -> None:
        self._home = home
        self._root = root
        self.lost = False
        self.refused = 0
        self.calls: list[str] = []

    async def there(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self.lost:
            self.refused += 1
            raise LinkLost("it is cut off")
        self.calls.append(work.__name__)
        sent = pickle.loads(pickle.dumps((work, arguments)))
        result = await asyncio.to_thread(sent[0], *(_moved(argument, self._home, self._root) for argument in sent[1]))
        if self.lost:
            raise LinkLost("it was cut off meanwhile")
        returned: Result = _moved(pickle.loads(pickle.dumps(result)), self._root, self._home)
        return returned

    def path(self, path: Path) -> Path:
        """What is called so on the host."""
        return self._root / path.relative_to(self._home)

    async def events(self, after: int) -> list[bytes]:
        raise AssertionError("a mirror only has things done there")

    async def send(self, message: Message) -> None:
        raise AssertionError("a mirror only has things done there")

    async def renew(self) -> float:
        raise AssertionError("a mirror only has things done there")

    def reset(self) -> None:
        raise AssertionError("a mirror only has things done there")


def _moved(value: Any, old: Path, new: Path) -> Any:
    """The same with paths that begin otherwise."""
    match value:
        case RunDirectory(path):
            return RunDirectory(new / path.relative_to(old))
        case Path():
            return new / value.relative_to(old)
        case Want(path, offset):
            return Want(str(new / Path(path).relative_to(old)), offset)
        case Piece(path, offset, data, size):
            return Piece(str(new / Path(path).relative_to(old)), offset, data, size)
        case list():
            return [_moved(item, old, new) for item in value]
        case _:
            return value
