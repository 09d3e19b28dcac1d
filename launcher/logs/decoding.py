"""The text of bytes that programs wrote: UTF-8, the GBK of Chinese machines, or neither."""

from __future__ import annotations

import re

_REPLACED = "\ufffd"

# What Chinese text in GBK consists of beside ASCII: ideographs, their punctuation, full-width forms, box drawing.
_CHINESE = re.compile(r"[\x00-\x7f\u2010-\u203b\u2190-\u21ff\u2460-\u25ff\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]*")


def decoded(line: bytes) -> str:
    """The text of one line; bytes that are neither UTF-8 nor Chinese in GBK become U+FFFD. Never raises.

    A line of UTF-8 that was cut inside a character stays UTF-8: GBK is believed only where all of the line reads as
    Chinese.
    """
    try:
        return line.decode()
    except UnicodeDecodeError:
        text = line.decode(errors="replace")
    try:
        chinese = line.decode("gb18030")
    except UnicodeDecodeError:
        return text
    cut = text.strip(_REPLACED)
    if not cut.isascii() and _REPLACED not in cut:
        return text
    return chinese if _CHINESE.fullmatch(chinese) else text
