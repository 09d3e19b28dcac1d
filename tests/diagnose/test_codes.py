"""What codes mean, where no rule fires."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.diagnose.codes import explain


@pytest.mark.parametrize(
    ("code", "family", "said"),
    [
        ("EI0006", "CANN error code", "HCCL_CONNECT_TIMEOUT"),
        ("[ei0006]:", "CANN error code", "HCCL_CONNECT_TIMEOUT"),
        ("E41999", "CANN error code", "operator compiler"),
        ("EM9999", "CANN error code", "inner error of queue schedule"),
        ("507015", "ACL or runtime return code", "AI Core exception"),
        ("error code 107001", "ACL or runtime return code", "invalid device"),
        ("ERR02200", "torch_npu error code", "distributed (DIST): a call of HCCL failed"),
        ("0x80E01801", "NPU fault code", "multi-bit ECC"),
        ("80e01801", "NPU fault code", "multi-bit ECC"),
        ("errNo[0x0000000005000007]", "HCCL result", "resource unavailable"),
        ("hccl:9", "HCCL result", "timeout"),
        ("drvRetCode=6", "driver return code", "out of memory"),
        ("retCode=0x91", "return code of a task", "model failed"),
        ("errcode:0x800000", "error bit of a core", "bus error"),
    ],
)
def test_a_code_is_explained_as_logs_write_it(code: str, family: str, said: str) -> None:
    explanation = explain(code)
    assert explanation is not None
    assert explanation.family == family
    assert said in explanation.meaning
    assert explanation.meaning_zh


@pytest.mark.parametrize("code", ["", "hello", "123456", "0x12345678", "ERR77777", "EQ0001", "hccl:5555", "E123"])
def test_what_is_no_known_code_has_no_explanation(code: str) -> None:
    assert explain(code) is None


@given(st.text(max_size=30))
def test_no_text_is_fatal(text: str) -> None:
    explain(text)
