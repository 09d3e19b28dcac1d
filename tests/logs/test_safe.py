"""Text from logs does nothing to a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.safe import safe_line


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain text", "plain text"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2J\x1b[1;1Hcleared", "cleared"),
        (b"\x1b]0;a new title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPq#0\x1b\\sixel", "sixel"),
        (b"\x1b(0text", "text"),
        (b"\x1bctext", "text"),
        (b"\x1b", "\\x1b"),
        (b"\x1b]0;never ends", "\\x1b]0;never ends"),
        ("\x9b31mred".encode(), "red"),
        (b"bell\x07 back\x08", "bell\\x07 back\\x08"),
        (b"a\tb", "a   b"),
        (b"windows\r\n", "windows"),
        (b"10%\r 50%\r100%", "100%"),
        (b"100%\r    \r", "100%"),
        (b"\x1b[K 10%\r\x1b[K 20%", " 20%"),
        (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
        ("训练 ██ 🎉".encode(), "训练 ██ 🎉"),
        ("user\u202eexe.txt".encode(), "user\\u202eexe.txt"),
        ("one\u2028two".encode(), "one\\u2028two"),
        ("👩\u200d🔬".encode(), "👩\u200d🔬"),
        (b"", ""),
        (b"\r\r", ""),
    ],
)
def test_what_a_terminal_would_act_on_is_dropped_or_written_out(raw: bytes, shown: str) -> None:
    assert safe_line(raw) == shown


@given(st.binary(max_size=300))
def test_no_bytes_whatever_leave_a_control_character(raw: bytes) -> None:
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in safe_line(raw))


@given(st.text(max_size=300), st.integers(min_value=1, max_value=50))
def test_a_width_is_kept(text: str, width: int) -> None:
    assert len(safe_line(text, width)) <= width


def test_a_cut_line_says_so() -> None:
    assert safe_line(b"x" * 100, 10) == "x" * 9 + "…"
