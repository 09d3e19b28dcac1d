"""Which lines without a header go on with the message before them."""

from __future__ import annotations

import re

from launcher.logs.grammar.header import Block, Header
from launcher.logs.record import Level

# Indented lines go on with what stands above them, except the states of progress bars and Megatron's steps.
_INDENTED = re.compile(r"(?!\s*(?:\d+%|iteration ))(?:\t|  )")

# Parts of a report that stand at the beginning of a line: of CANN's blocks, of MindSpore's, of Python's tracebacks.
_PARTS = re.compile(
    r"TraceBack \(most recent call last\)|Possible Cause|Solution: |Rectify the fault|The extend info:"
    r"|-{10,}$|={10,}$"
    r"|\(Please search|The [Ff]unction [Cc]all [Ss]tack|In file |# \d+ In file |# In file "
    r"|mindspore/(?:ccsrc|core)/|Line of code : |File +: /"
    r"|During handling of the above exception|The above exception was the direct cause"
    r"|Extension modules:|Stack \(most recent call|#\d+ +0x|\[<[0-9a-f]+>\]|Call Trace:"
    r"|\[Previous line repeated|frame #\d+: "
)
_SOURCE_END = re.compile(r"\[(?:LINE|THREAD):\d+\]\.?$")
_CHAIN = ("During handling of the above exception", "The above exception was the direct cause")


# What a line that begins a block of its own does to an open one: the state after it joins.
_FOLLOWED_BY = {
    Block.TRACEBACK: {Block.CHAINED: Block.TRACEBACK},
    Block.FRAME: {
        Block.TRACEBACK: Block.TRACEBACK,
        Block.SOURCE: Block.TRACEBACK,
        Block.CHAINED: Block.TRACEBACK,
        Block.CRASH: Block.CRASH,
        Block.STACK: Block.STACK,
    },
    Block.EXCEPTION: {Block.TRACEBACK: Block.EXCEPTION, Block.SOURCE: Block.EXCEPTION},
    Block.SECTION: dict.fromkeys((Block.ERROR, Block.EXCEPTION, Block.SECTION, Block.CRASH), Block.SECTION),
    Block.STACK: {Block.CRASH: Block.CRASH, Block.STACK: Block.STACK},
    Block.MORE: {Block.ERROR: Block.ERROR, Block.EXCEPTION: Block.EXCEPTION},
}


def block_of(header: Header) -> Block:
    """The state of a message after the line that began it."""
    if header.block is Block.FRAME:
        return Block.SOURCE if header.text[:1] == "F" else Block.TRACEBACK
    if header.block is not None:
        return Block.ERROR if header.block is Block.MORE else header.block
    return Block.ERROR if header.level is not None and header.level >= Level.WARNING else Block.LINE


def block_after(block: Block, header: Header) -> Block | None:
    """The state after a line that begins a block joins the open message; None when it begins a message of its own."""
    after = _FOLLOWED_BY.get(header.block or Block.LINE, {}).get(block)
    if after is Block.TRACEBACK and header.block is Block.FRAME:
        return block_of(header)
    return after


def next_block(block: Block, text: str, blank_before: bool) -> Block | None:
    """The state after a line without a header joins the open message; None when it begins one of its own.

    `text` is not blank; `blank_before` says that a blank line stands between it and the message.
    """
    if _INDENTED.match(text) is not None:
        if blank_before and block is Block.LINE:
            return None
        return Block.TRACEBACK if block in (Block.SOURCE, Block.CHAINED) else block
    if block is Block.LINE:
        return None
    if block in (Block.TRACEBACK, Block.SOURCE):
        return Block.TRACEBACK if block is Block.SOURCE or text[0] == " " else Block.EXCEPTION
    if text.startswith(_CHAIN):
        return Block.CHAINED
    if _PARTS.match(text.lstrip(" ")) is not None:
        return Block.SECTION if text[0] == "-" else block
    if _SOURCE_END.search(text) is not None:
        return block
    return block if block is Block.SECTION and not blank_before else None
