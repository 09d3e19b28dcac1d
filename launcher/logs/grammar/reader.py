"""Lines in, records out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime

from launcher.logs.grammar.clock import THIS_MACHINE, Clock
from launcher.logs.grammar.header import Block, Header
from launcher.logs.grammar.joining import block_after, block_of, next_block
from launcher.logs.grammar.lines import shortened
from launcher.logs.grammar.pieces import messages_in
from launcher.logs.grammar.prefixes import Prefix, split_prefix
from launcher.logs.grammar.table import header_of
from launcher.logs.record import Record

# A message longer than this becomes several records, so that none needs much memory.
MOST_LINES = 2000
MOST_CHARACTERS = 1 << 18
_MOST_HELD = 1 << 22  # characters of all that are open, or wait for those

# So many lines of other processes may stand between two of one message; then it is over.
_PATIENCE = 500

_DAY = 24 * 60 * 60
_STAMP_WITHIN = 160  # so many characters of a line that has a stamp hold it

_UNFINISHED = (Block.TRACEBACK, Block.SOURCE)
_IN_TRACEBACK = (Block.FRAME, Block.EXCEPTION)
_INTERRUPTING = (Block.LINE, Block.ERROR)

# Blank lines inside a message are kept, up to so many in a row.
_MOST_BLANKS = 2


class _Open:
    """A message that may go on: its header, its texts, and what may follow."""

    __slots__ = ("blanks", "block", "characters", "done", "header", "key", "last", "line", "lines", "offset", "texts")

    def __init__(self, key: str, offset: int, line: int, header: Header, block: Block) -> None:
        self.key = key
        self.offset = offset
        self.line = line
        self.header = header
        self.block = block
        self.texts = [header.text]
        self.characters = len(header.text)
        self.lines = 1
        self.last = line
        self.blanks = 0
        self.done = False

    def add(self, text: str, line: int, block: Block) -> None:
        self.texts += [""] * min(self.blanks, _MOST_BLANKS)
        self.texts.append(text)
        self.characters += len(text)
        self.lines += min(line - self.last, self.blanks + 1)
        self.last = line
        self.blanks = 0
        self.block = block

    def record(self) -> Record:
        _text, time, level, module, pid, rank, device, place, _code, _block, _logged = self.header
        text = self.texts[0] if len(self.texts) == 1 else "\n".join(self.texts)
        return Record(self.offset, self.line, text, time, level, module, pid, rank, device, place, self.lines)


class Reader:
    """The records of one log, from its lines in their order.

    A line without a header joins the message above it when it goes on with it (`joining`), and with `headed` always:
    for a file in which every message has a header. Lines of several processes in one file are kept apart by their
    prefixes. Records come in the order of their first lines, each once its end is seen; `finish` gives the rest.
    Stamps without a year are of the year that others in the same log name, unless the clock says which.
    `offset` and `line` are those of the first line that will be fed.
    """

    def __init__(self, clock: Clock = THIS_MACHINE, *, offset: int = 0, line: int = 1, headed: bool = False) -> None:
        self._clock = clock
        self._learns_year = clock.year is None
        self._day: int | None = None
        self._offset = offset
        self._line = line
        self._headed = headed
        self._open: dict[str, _Open] = {}
        self._interrupted: dict[str, _Open] = {}
        self._waiting: deque[_Open] = deque()
        self._held = 0

    def feed(self, line: bytes, offset: int | None = None) -> Iterator[Record]:
        """Take the next line, without its end, and give the records that are complete now.

        `offset` is where it begins; if it is not given, right behind the line before.
        """
        if offset is not None:
            self._offset = offset
        for text in messages_in(shortened(line)):
            self._take(text)
        self._offset += len(line) + 1
        self._line += 1
        return self._complete()

    def finish(self) -> Iterator[Record]:
        """The records that are still open, when there are no more lines."""
        self._end_all()
        return self._complete()

    def _take(self, text: str) -> None:
        prefix = split_prefix(text, self._clock)
        if prefix is not None:
            text = prefix.text
        key = "" if prefix is None else prefix.key
        message = self._open.get(key)
        header = header_of(text, self._clock)
        if header is None:
            if not text or text.isspace():
                if message is not None:
                    message.blanks += 1
                return
        elif self._learns_year and header.time is not None:
            self._learn_year(header.time, text)
        if message is not None:
            message = self._resumed(key, message, header)
            block = self._goes_on(message, header, text)
            if block is not None:
                self._join(message, header, text, block)
                return
            self._leave(message, header)
        if header is None:
            header = Header(text)
        if prefix is not None:
            header = _told_by(prefix, header)
        self._begin(key, header, block_of(header))

    def _learn_year(self, time: float, text: str) -> None:
        """Stamps without a year are of the year that others of the same log name; looked at once for each day."""
        day = int(time) // _DAY
        if day != self._day:
            year = datetime.fromtimestamp(time, self._clock.zone).year
            if str(year) in text[:_STAMP_WITHIN]:
                self._day = day
                self._clock = self._clock._replace(year=year)

    def _goes_on(self, message: _Open, header: Header | None, text: str) -> Block | None:
        """The state of an open message after a line that goes on with it; None when the line begins another."""
        if header is None:
            block = next_block(message.block, text, message.blanks > 0)
            return message.block if block is None and self._headed else block
        if header.block is None:
            if not header.logged or header.logged != message.header.logged:
                return None
            if not header.text.strip():
                return message.block
            return next_block(message.block, header.text, message.blanks > 0)
        if header.code and header.code == message.header.code and header.block is Block.ERROR:
            return Block.ERROR
        return block_after(message.block, header)

    def _resumed(self, key: str, message: _Open, header: Header | None) -> _Open:
        """The message that a line may go on with: a traceback that another thread's lines came into, or the last."""
        if header is None or header.block not in _IN_TRACEBACK or message.block not in _INTERRUPTING:
            return message
        traceback = self._interrupted.pop(key, None)
        if traceback is None:
            return message
        message.done = True
        self._open[key] = traceback
        return traceback

    def _leave(self, message: _Open, header: Header | None) -> None:
        """Another message begins under the same prefix."""
        if message.block in _UNFINISHED and header is not None and header.block is None:
            if (earlier := self._interrupted.get(message.key)) is not None:
                earlier.done = True
            self._interrupted[message.key] = message
        else:
            message.done = True

    def _join(self, message: _Open, header: Header | None, text: str, block: Block) -> None:
        if header is not None:
            text = header.text
            message.header = _completed(message.header, header)
        if message.lines >= MOST_LINES or message.characters + len(text) > MOST_CHARACTERS:
            message.done = True
            self._begin(message.key, message.header._replace(text=text), block)
            return
        message.add(text, self._line, block)
        self._held += len(text)

    def _begin(self, key: str, header: Header, block: Block) -> None:
        message = _Open(key, self._offset, self._line, header, block)
        self._open[key] = message
        self._waiting.append(message)
        self._held += message.characters

    def _end_all(self) -> None:
        for message in self._waiting:
            message.done = True
        self._open.clear()
        self._interrupted.clear()

    def _complete(self) -> Iterator[Record]:
        waiting = self._waiting
        if self._held > _MOST_HELD:
            self._end_all()
        complete = []
        while waiting:
            message = waiting[0]
            if not message.done:
                if message.last > self._line - _PATIENCE:
                    break
                for messages in (self._open, self._interrupted):
                    if messages.get(message.key) is message:
                        del messages[message.key]
            waiting.popleft()
            self._held -= message.characters
            complete.append(message.record())
        return iter(complete)


def _completed(header: Header, later: Header) -> Header:
    """A header, with what it left open taken from a line that goes on with its message."""
    if header.time is not None and header.code:
        return header
    return header._replace(
        time=later.time if header.time is None else header.time,
        pid=later.pid if header.time is None and later.pid is not None else header.pid,
        code=header.code or later.code,
    )


def _told_by(prefix: Prefix, header: Header) -> Header:
    """A header, with what it leaves open taken from the line's prefix."""
    return header._replace(
        time=prefix.time if header.time is None else header.time,
        pid=prefix.pid if header.pid is None else header.pid,
        rank=prefix.rank if header.rank is None else header.rank,
    )
