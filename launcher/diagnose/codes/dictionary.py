"""From a code as logs print it to what it means."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launcher.diagnose.codes.file import Kind, Meaning, code_files


@dataclass(frozen=True)
class Explanation:
    """What a code means: which `family` it is of, what it says, and what to do where that is known."""

    code: str
    family: str
    family_zh: str
    meaning: str
    meaning_zh: str
    fix: str = ""


def explain(code: str) -> Explanation | None:
    """What a code means; None for what is no code that is known.

    Codes are written as logs do: `EI0006`, `507015`, `ERR00100`, `0x80E01801`, `errNo[0x0000000005000007]`,
    `retCode=0x91`, `errcode:0x800000`; small numbers with their owner, `hccl:7` or `drvRetCode=6`. Sources:
    facts/error_codes.md, facts/error_codes_num.md.
    """
    text = code.strip().strip("[]().,;: ")
    for pattern, look_up in _FORMS:
        if (match := pattern.fullmatch(text)) and (found := look_up(match[1])) is not None:
            return found
    return None


def _of_letters(code: str) -> Explanation | None:
    code = code.upper()
    known = _explanation(Kind.LETTERS, code, code)
    component = code_files()[Kind.COMPONENT].codes.get(code[:2])
    if known is not None or component is None:
        return known
    kind, kind_zh = ("inner error", "内部错误") if code.endswith("9999") else ("error", "错误")
    family = code_files()[Kind.LETTERS].family
    return Explanation(
        code,
        family.en,
        family.zh,
        f"{kind} of {component.en}; the text beside the code says more",
        f"{component.zh}{kind_zh}，详见错误码旁的文字",
    )


def _of_torch_npu(code: str) -> Explanation | None:
    file = code_files()[Kind.TORCH_NPU]
    part, kind = file.codes.get(f"S{code[:2]}"), file.codes.get(f"C{code[2:]}")
    if part is None or kind is None:
        return None
    told = f"{part.en}: {kind.en}"
    return Explanation(f"ERR{code}", file.family.en, file.family.zh, told, told)


def _of_error_number(code: str) -> Explanation | None:
    """`errNo` of HCCL: module 5 in the fourth byte from the right, HcclResult in the last one."""
    number = int(code, 16)
    return _explanation(Kind.HCCL, str(number & 0xFF), f"0x{code}") if number >> 24 == 5 else None


def _of(kind: Kind, spelt: Callable[[str], str] = str) -> Callable[[str], Explanation | None]:
    return lambda code: _explanation(kind, spelt(code), spelt(code))


def _hexadecimal(code: str) -> str:
    return f"0x{int(code, 16):x}"


def _explanation(kind: Kind, key: str, code: str) -> Explanation | None:
    file = code_files()[kind]
    meaning: Meaning | None = file.codes.get(key)
    if meaning is None:
        return None
    family = file.family
    return Explanation(code, family.en, family.zh, meaning.en, meaning.zh or meaning.en, meaning.fix or "")


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[str], Explanation | None]], ...]] = (
    (re.compile(r"([EWI][A-Z0-9]\d{4})", re.IGNORECASE), _of_letters),
    (re.compile(r"ERR(\d{5})", re.IGNORECASE), _of_torch_npu),
    (re.compile(r"(?:errno\s*[\[=:]?\s*)?0x0*(5[0-9a-f]{6})\]?", re.IGNORECASE), _of_error_number),
    (re.compile(r"ret_?code\s*[=:]?\s*(0x[0-9a-f]+)", re.IGNORECASE), _of(Kind.TASK, _hexadecimal)),
    (re.compile(r"err_?code\s*[=:]?\s*\(?(0x[0-9a-f]+)\)?", re.IGNORECASE), _of(Kind.CORE, _hexadecimal)),
    (re.compile(r"(?:hccl|hcclret|hcclresult)\W*(\d+)", re.IGNORECASE), _of(Kind.HCCL)),
    (re.compile(r"(?:drv|drvretcode|drverr|driver)\W*(\d+)", re.IGNORECASE), _of(Kind.DRIVER)),
    (re.compile(r"(?:acl|ret|result|error code)?\W*(\d{6})", re.IGNORECASE), _of(Kind.ACL)),
    (re.compile(r"(?:0x)?([0-9a-f]{8})", re.IGNORECASE), _of(Kind.NPU, str.upper)),
)
