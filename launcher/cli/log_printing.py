"""What there is of some logs, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

from launcher.cli.log_output import Output
from launcher.cli.log_text import Form, Item
from launcher.logs.ending import last_lines
from launcher.logs.first_errors import first_error
from launcher.logs.follow import allow_descriptors
from launcher.logs.merge import Chunk, merged
from launcher.logs.selection import Selection
from launcher.logs.whole import Log, block_size, read_lines


@dataclass(frozen=True)
class Request(Generic[Item]):
    """What is to be seen of logs: the lines of this selection, in this form.

    Of these the `last` so many, or of each log the first error; None and False are for all of them.
    """

    selection: Selection
    form: Form[Item]
    last: int | None = None
    first_error: bool = False


def print_logs(logs: Sequence[Log], request: Request[Item], output: Output) -> None:
    """Write all of it."""
    allow_descriptors(len(logs))
    size = block_size(logs, request.selection)
    chunks = merged([_chunks(log, request, size) for log in logs])
    if request.last is not None:
        chunks = _last(logs, request, request.last)
    for _, items in chunks:
        output.write(request.form.together(items))
        output.mark({})
    output.write(request.form.rest())


def _chunks(log: Log, request: Request[Item], size: int) -> Iterator[Chunk[Item]]:
    form = request.form
    if request.first_error:
        found = first_error(log, request.selection, size, levels=form.levels)
        pieces = iter(() if found is None else (found,))
    else:
        pieces = read_lines(log, request.selection, size, levels=form.levels)
    for file, lines in pieces:
        yield lines.keys, form.items(file, lines)


def _last(logs: Sequence[Log], request: Request[Item], count: int) -> Iterator[Chunk[Item]]:
    """The last `count` lines of all logs together."""
    form = request.form
    found = last_lines(logs, request.selection, count, levels=form.levels)
    kept: Chunk[Item] = ([], [])
    for keys, items in merged([((lines.keys, form.items(file, lines)) for file, lines in pieces) for pieces in found]):
        kept = ((kept[0] + keys)[-count:], (kept[1] + items)[-count:])
    yield kept
