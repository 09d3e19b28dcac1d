"""The text of a file that a person names, or an error that says what is in its place."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from launcher.errors import SpecError
from launcher.specs.nearest import nearest


def read_text(path: Path, *, kind: str, most: int, suffixes: tuple[str, ...] = ()) -> str:
    """The text of a file of at most so many bytes; `kind` is what it should be, `suffixes` what its neighbours end in.

    Raises SpecError, for bytes that are no UTF-8 with their place.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except FileNotFoundError:
        raise SpecError("no such file", where=str(path), expected=kind, remedy=_sibling(path, suffixes)) from None
    except IsADirectoryError:
        raise SpecError("is a directory", where=str(path), expected=kind, remedy=_members(path, suffixes)) from None
    except PermissionError:
        raise SpecError("may not be read", where=str(path), remedy="give yourself read permission") from None
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot be read: {error}", where=str(path), expected=kind) from None
    if len(content) > most:
        raise SpecError(f"is larger than {most // 1_000_000} MB", where=str(path), expected=kind)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        raise SpecError(
            f"holds the byte 0x{content[error.start]:02x}, which is not UTF-8",
            where=f"{path}:{line}:{column}",
            expected="UTF-8 text",
            remedy=f"convert it, for instance: iconv -f {_encoding(content)} -t UTF-8 {path.name}",
        ) from None


def _encoding(content: bytes) -> str:
    """What a text that is no UTF-8 is most likely in."""
    return "UTF-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "GB18030"


def _sibling(path: Path, suffixes: tuple[str, ...]) -> str:
    """What to do about a file that is not there: the file beside it that was meant, when there is one."""
    beside = {Path(name).stem: name for name in _files(path.parent, suffixes)}
    close = nearest(path.stem, beside)
    return f"did you mean {path.parent / beside[close]}?" if close else "check the path"


def _members(path: Path, suffixes: tuple[str, ...]) -> str:
    files = _files(path, suffixes)
    return f"name a file in it: {', '.join(files[:5])}" if files else "name a file"


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if not suffixes or entry.suffix in suffixes)
    except OSError:
        return []
