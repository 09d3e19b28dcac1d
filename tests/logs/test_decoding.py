"""Bytes of a log become readable text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.decoding import decoded

CHINESE = "文件不存在\uff1a路径「训练」"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"plain", "plain"),
        ("训练 ██ 🎉".encode(), "训练 ██ 🎉"),
        (CHINESE.encode("gbk"), CHINESE),
        (b"[ERROR] " + CHINESE.encode("gb18030") + b" 7", f"[ERROR] {CHINESE} 7"),
        (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
        (b"\xff\xfe\x00", "\ufffd\ufffd\x00"),
        (CHINESE.encode()[:-1], CHINESE[:-1] + "\ufffd"),
        (CHINESE.encode()[1:], "\ufffd\ufffd" + CHINESE[1:]),
    ],
)
def test_text_is_read_in_the_encoding_that_it_was_written_in(line: bytes, text: str) -> None:
    assert decoded(line) == text


@given(st.binary(max_size=100))
def test_no_bytes_whatever_are_fatal(line: bytes) -> None:
    decoded(line).encode()


@given(st.text(max_size=100))
def test_utf_8_is_never_taken_for_anything_else(text: str) -> None:
    line = text.encode("utf-8", "ignore")
    assert decoded(line) == line.decode()
