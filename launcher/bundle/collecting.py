"""Reads a run's folder and makes the members of a bundle from it: cut where they are long, and without secrets."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from launcher.bundle.contents import Candidate, Chosen, Part, choose
from launcher.bundle.redaction import Redactor, secrets_in
from launcher.logs.cut_text import cut_text
from launcher.logs.keeping.belongings import Kind, belongings
from launcher.logs.packed import COMPRESSED, text_size
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory

_SCAN_SECONDS = 20.0  # in which errors are looked for in all logs that are cut
_LARGEST_DOCUMENT = 64 << 20  # bytes; a larger one is text, in which secrets are found all the same


@dataclass(frozen=True)
class Member:
    """A file of the bundle, `size` bytes long in the run; or why it is not in it."""

    name: str
    content: bytes
    size: int
    left_out: str = ""


def collect(run: RunDirectory, state: RunState) -> tuple[tuple[Member, ...], Redactor]:
    """All of a run that tells something, in the order of names, and what takes secrets out of anything else about it.

    What is the user's (working folders, checkpoints) is not looked at, no link is followed, and a file that is no text
    is left out, for nobody can tell what is in it.
    """
    paths: dict[str, Path] = {}
    for each in belongings(run.path):
        if each.kind is not Kind.USERS:
            name = each.path.relative_to(run.path).as_posix().removesuffix(COMPRESSED).removesuffix(".gz")
            paths.setdefault(name, each.path)
    candidates = [Candidate(name, size) for name, path in paths.items() if (size := text_size(path)) is not None]
    latest = state.attempts[-1] if state.attempts else None
    chosen = choose(candidates, latest.number if latest else 0, latest.first_failure if latest else None)
    sizes = {candidate.name: candidate.size for candidate in candidates}
    documents = {
        each.name: _document(paths[each.name])
        for each in chosen
        if each.part is Part.RECORD and sizes[each.name] <= _LARGEST_DOCUMENT
    }
    redactor = Redactor(found for document in documents.values() for found in secrets_in(document))
    deadline = time.monotonic() + _SCAN_SECONDS
    members = [
        _member(each, sizes[each.name], paths[each.name], documents.get(each.name), redactor, deadline)
        for each in chosen
    ]
    return tuple(members), redactor


def _member(chosen: Chosen, size: int, path: Path, document: Any, redactor: Redactor, deadline: float) -> Member:
    if document is not None and size <= chosen.most:
        return Member(chosen.name, _written(chosen.name, redactor.value(document)), size)
    try:
        content = b"".join(cut_text(path, chosen.most, str(path), deadline))
    except OSError as error:
        return Member(chosen.name, b"", size, f"it cannot be read: {error.strerror or error}")
    if b"\0" in content:
        return Member(chosen.name, b"", size, "it is no text")
    text = content.decode("utf-8", "surrogateescape")
    return Member(chosen.name, redactor.text(text).encode("utf-8", "surrogateescape"), size)


def _document(path: Path) -> Any:
    """What a file of the record holds as a structure; None for one that is none, or is broken."""
    try:
        if path.suffix == ".json":
            return json.loads(path.read_bytes())
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        if path.suffix == ".yaml":
            return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, YAMLError):  # what is damaged is still worth its text
        return None
    return None


def _written(name: str, document: Any) -> bytes:
    if name.endswith(".jsonl"):
        return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in document).encode("utf-8", "replace")
    if name.endswith(".json"):
        return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
    file = io.BytesIO()
    YAML(typ="safe", pure=True).dump(document, file)
    return file.getvalue()
