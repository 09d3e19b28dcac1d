"""The kinds of values that specs are made of, each with its form in words."""

from __future__ import annotations

import math
import re
import socket
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


@dataclass(frozen=True)
class Form:
    """What a value has to look like: in words, and as far as a JSON schema can say more than its type.

    The words are the `expected` of an error and the type in the reference.
    """

    words: str
    keywords: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), **self.keywords}


def refuse(reason: str, *at: str | int) -> PydanticCustomError:
    """A value of the right type that is not good enough: why, and where below the value that is being checked."""
    return PydanticCustomError("refused", "{reason}", {"reason": reason, "at": at})


def _passes_to_a_process(text: str) -> str:
    if "\0" in text:
        raise refuse("holds a NUL character, which no program can be given")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise refuse("is not valid Unicode (half of a surrogate pair)") from None
    return text


def _is_one_line(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise refuse("holds a control character or a line break")
    return text


def _is_env_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise refuse("is no name of an environment variable")
    return text


def _is_argument_name(text: str) -> str:
    if text.startswith("-"):
        raise refuse("needs no dashes: they are added")
    if not text or "=" in text or any(character.isspace() or not character.isprintable() for character in text):
        raise refuse("is no option name")
    return text


def check_host_name(text: str) -> str:
    """A name that can be a folder's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", text):
        raise refuse("cannot name a folder")
    return text


def check_address(text: str) -> str:
    """An IP, or a host name as RFC 1123 has it; 64 characters, since HCCL takes no longer `server_id`."""
    if _is_ip_text(text):
        return text
    labels = text.split(".")
    if labels[-1].isdigit() or ":" in text:
        raise refuse("is no IP address")
    if len(text) > 64:
        raise refuse("is longer than the 64 characters that HCCL takes")
    if not all(re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", label) for label in labels):
        raise refuse("is neither an IP address nor a host name")
    return text


def check_ip(text: str) -> str:
    """An IPv4 or IPv6 address without a zone."""
    if not _is_ip_text(text):
        raise refuse("is no IP address")
    return text


def _is_ip_text(text: str) -> bool:
    try:
        return bool(packed_ip(text))
    except ValueError:
        return False


def packed_ip(text: str) -> bytes:
    """The 4 or 16 bytes of an IP address, the same for all its spellings. Raises ValueError."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError as error:
        raise ValueError(str(error)) from None


def written_out(value: Any) -> Any:
    """Numbers and booleans as a YAML author writes them; a file's own spelling is kept by the reader."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _argument(value: Any) -> Any:
    """A scalar, or a flat list of scalars as a tuple; one validator for all, so that a wrong value is one problem."""
    if isinstance(value, list | tuple):
        if any(item is None or isinstance(item, bool) for item in value):
            raise refuse("holds true, false or null: quote the word to pass it on")
        return tuple(_scalar(item) for item in value)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _passes_to_a_process(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse("is not a finite number: quote the word to pass it on")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise refuse("is no value that an option can have")


_UNITS = {"": 1, "B": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SIZE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))? ?(?:(B)|([KMGT])(?:i?B)?)?", re.ASCII | re.IGNORECASE)


def _size(value: Any) -> Any:
    """Bytes, from bytes or from a text such as `26 GB`."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise refuse("is no size")
    whole, fraction, byte, unit = match.groups()
    factor = _UNITS[(byte or unit or "").upper()]
    return int(whole) * factor + int(fraction or 0) * factor // 10 ** len(fraction or "")


Text = Annotated[str, AfterValidator(_passes_to_a_process), Form("text")]
FilledText = Annotated[Text, Field(min_length=1), Form("text, not empty")]
KnobName = Annotated[Text, Field(min_length=1, max_length=255), Form("text of 1 to 255 characters")]
RunName = Annotated[
    Text,
    Field(min_length=1, max_length=200),
    AfterValidator(_is_one_line),
    Form("text of 1 to 200 characters, one line"),
]
PartName = Annotated[
    Text,
    Field(min_length=1, max_length=80),
    AfterValidator(_is_one_line),
    Form("text of 1 to 80 characters, one line"),
]
Count = Annotated[int, Field(ge=1, le=1_000_000), Form("a whole number from 1 to 1000000")]
Port = Annotated[int, Field(ge=1024, le=65535), Form("a port from 1024 to 65535")]
Seconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False), Form("seconds, from 0 to 86400")]
EnvName = Annotated[
    Text,
    Field(max_length=255),
    AfterValidator(_is_env_name),
    Form("letters, digits and underscores, no digit first", {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
]
WrittenOut = BeforeValidator(written_out)
EnvValue = Annotated[Text, WrittenOut, Form("text, a number, true or false", {"type": ["string", "number", "boolean"]})]
ArgumentName = Annotated[
    Text,
    Field(min_length=1, max_length=255),
    AfterValidator(_is_argument_name),
    Form("an option name such as batch_size", {"pattern": r"^[^-=\s][^=\s]*$"}),
]
Scalar = str | int | float
ArgumentValue = Annotated[
    Scalar | bool | tuple[Scalar, ...] | None,
    PlainValidator(_argument),
    WithJsonSchema(
        {
            "type": ["string", "number", "boolean", "null", "array"],
            "items": {"type": ["string", "number"]},
        }
    ),
    Form("text, a number, true, false, null, or a list of texts and numbers"),
]
HostName = Annotated[
    Text, AfterValidator(check_host_name), Form("1 to 63 letters, digits, dots, dashes and underscores, no dot first")
]
Address = Annotated[Text, AfterValidator(check_address), Form("an IPv4 or IPv6 address, or a host name")]
IpAddress = Annotated[
    Text,
    AfterValidator(check_ip),
    Form("an IPv4 or IPv6 address", {"pattern": "^[0-9.]+$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$"}),
]
Size = Annotated[
    Annotated[int, Field(ge=1, le=1 << 60)],
    BeforeValidator(_size),
    Form(
        "a size such as 26 GB, or a number of bytes; 1 GB is 1024 MB, as npu-smi, MindSpore and docker count",
        {
            "type": ["string", "integer"],
            "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})? ?([Bb]|[KkMmGgTt]([Ii]?[Bb])?)?$",
            "examples": ["26 GB"],
        },
    ),
]
