"""What files of codes say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from launcher.diagnose.rule import Bilingual
from launcher.specs import document
from launcher.specs.fields import FilledText, Form
from launcher.specs.frozen import FrozenMap
from launcher.specs.problems import spec_error
from launcher.specs.spec import Part


class Kind(str, Enum):
    """A family of codes; its value is the name that files give it."""

    COMPONENT = "component"
    LETTERS = "letters"
    ACL = "acl"
    HCCL = "hccl"
    DRIVER = "driver"
    TORCH_NPU = "torch_npu"
    NPU = "npu"
    TASK = "task"
    CORE = "core"


class Meaning(Part):
    """What one code means, and what to do about it where that is known."""

    en: FilledText
    zh: FilledText | None = None
    fix: FilledText | None = None


class CodeFile(Part):
    """The codes of one family."""

    kind: Annotated[Kind, Form(", ".join(kind.value for kind in Kind))] = Field(strict=False)
    family: Bilingual
    codes: Annotated[FrozenMap[FilledText, Meaning], Form("a mapping of codes to meanings")]


@cache
def code_files() -> Mapping[Kind, CodeFile]:
    """All families. Raises SpecError with `file:line:column` of what is wrong in a file."""
    files = [_read(path) for path in sorted(Path(__file__).parent.glob("*.yaml"))]
    return {file.kind: file for file in files}


def _read(path: Path) -> CodeFile:
    read = document.parse(path.read_text(encoding="utf-8"), str(path))
    try:
        return CodeFile.model_validate(read.root)
    except ValidationError as error:
        raise spec_error(CodeFile, read, error) from None
