"""The summary of a bundle: Markdown that can be pasted as an issue."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from launcher.bundle.collecting import Member
from launcher.bundle.redaction import MARK, Redactor
from launcher.bundle.words import WORDS, Language, exit_words, phase_words
from launcher.logs.safe import safe_line
from launcher.runs.state import AttemptState, RunState

_NAMED = 10  # members that are named of those that were cut, or left out
_WIDTH = 400  # characters of one line that somebody else wrote
_LINES = 120  # of one block


@dataclass(frozen=True)
class Facts:
    """What a summary is made of: `account` says in a few lines what happened, `diagnosis` why, as far as that is known.

    `last_lines` are those of the rank that failed first.
    """

    state: RunState
    account: Sequence[str]
    diagnosis: Sequence[str]
    last_lines: Sequence[str]
    members: Sequence[Member]
    versions: Mapping[str, str]


def summary(facts: Facts, redactor: Redactor, language: Language) -> str:
    """The summary; it has been looked through for secrets."""
    return _Summary(facts, redactor, language).text()


class _Summary:
    def __init__(self, facts: Facts, redactor: Redactor, language: Language) -> None:
        self._facts, self._redactor, self._language = facts, redactor, language
        self._words = WORDS[language]
        self._by_name = {member.name: member.content for member in facts.members}

    def text(self) -> str:
        state, words = self._facts.state, self._words
        title = words["title"].format(run=_cell(state.run), phase=phase_words(state.phase, self._language))
        parts = [f"# {title}", self._section("happened", self._block(self._facts.account))]
        if self._facts.diagnosis:
            parts.append(self._section("diagnosis", self._block(self._facts.diagnosis)))
        rank = self._rank_to_show()
        if self._facts.last_lines:
            parts.append(self._section("last lines", self._block(self._facts.last_lines), rank=rank))
        parts.append(self._section("attempts", _table(self._attempts())))
        parts.append(self._section("software", _table([(_cell(k), _cell(v)) for k, v in self._software()])))
        if recipe := self._by_name.get("recipe.yaml"):
            parts.append(self._section("recipe", self._block(_lines(recipe), "yaml")))
        if command := self._command(rank):
            parts.append(self._section("plan", self._block(command), rank=rank))
        parts.append(self._section("contents", "\n".join(self._contents())))
        return "\n\n".join(parts) + "\n"

    def _section(self, heading: str, body: str, **fields: object) -> str:
        return f"## {self._words[heading].format(**fields)}\n\n{body}"

    def _block(self, lines: Iterable[str], kind: str = "text") -> str:
        """Lines as they are, in a fence that none of them can close."""
        shown = [safe_line(self._redactor.text(line), _WIDTH) for line in lines]
        if len(shown) > _LINES:
            shown = [*shown[: _LINES // 2], f"... ({len(shown) - _LINES})", *shown[-_LINES // 2 :]]
        longest = max((len(run) for line in shown for run in re.findall(r"`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        return "\n".join([fence + kind, *shown, fence])

    def _rank_to_show(self) -> int:
        attempt = self._facts.state.attempt
        return attempt.first_failure if attempt is not None and attempt.first_failure is not None else 0

    def _attempts(self) -> Iterator[tuple[str, ...]]:
        words = self._words
        yield words["attempt"], words["ranks"], words["began"], words["lasted"], words["first failure"], words["how"]
        for attempt in self._facts.state.attempts:
            yield self._attempt(attempt)

    def _attempt(self, attempt: AttemptState) -> tuple[str, ...]:
        none = self._words["none"]
        first = attempt.first_failure
        known = None if first is None else self._facts.state.ranks.get(first)
        return (
            str(attempt.number),
            str(len(attempt.ranks)),
            time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(attempt.started)),
            none if attempt.ended is None else f"{attempt.ended - attempt.started:.0f} s",
            none if first is None else self._words["rank"].format(rank=first),
            _cell(self._redactor.text(exit_words(known.exit, self._language)))
            if known is not None and known.exit is not None and known.attempt == attempt.number
            else none,
        )

    def _software(self) -> Iterator[tuple[str, str]]:
        state = self._facts.state
        yield self._words["hosts"], f"{len(state.hosts)}: {', '.join(state.hosts[:_NAMED])}"
        yield "framework", f"{state.framework} ({state.target}, {state.world_size} ranks)"
        yield from self._facts.versions.items()

    def _command(self, rank: int) -> list[str]:
        """What the rank was started by, one variable a line; nothing where the plan is not there."""
        attempt = self._facts.state.attempt
        content = None if attempt is None else self._by_name.get(f"attempts/{attempt.number}/plan.json")
        try:
            ranks = json.loads(content or b"{}")["ranks"]
            [process] = [each for each in ranks if each["rank"] == rank]
            return [" ".join(process["argv"]), *(f"{name}={value}" for name, value in sorted(process["env"].items()))]
        except (ValueError, KeyError, TypeError, AttributeError):
            return []

    def _contents(self) -> Iterator[str]:
        words, members = self._words, self._facts.members
        count = sum(member.content.count(MARK.encode()) for member in members)
        yield words["redacted"].format(mark=MARK, count=count)
        yield ""
        lines = [words["left out"].format(name=_cell(m.name), why=m.left_out) for m in members if m.left_out]
        lines += [
            words["cut"].format(name=_cell(m.name), kept=len(m.content), size=m.size)
            for m in members
            if b"[npu-launch left out" in m.content
        ]
        yield from (f"- {line}" for line in lines[:_NAMED])
        if len(lines) > _NAMED:
            yield f"- {words['more'].format(count=len(lines) - _NAMED)}"


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines()


def _table(rows: Iterable[Sequence[str]]) -> str:
    first, *others = rows
    lines = [first, ["---"] * len(first), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text in which Markdown finds nothing to do."""
    return re.sub(r"([\\`*_<>|\[\]#])", r"\\\1", safe_line(text, _WIDTH))
