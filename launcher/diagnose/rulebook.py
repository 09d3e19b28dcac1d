"""All rules that are known together, with the causes and suggestions that they name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from launcher.diagnose.finding import Category, Finding
from launcher.diagnose.rule import Bilingual, Cause, Rule, RuleFile, SuggestionText
from launcher.diagnose.suggestion import Suggestion
from launcher.errors import SpecError
from launcher.specs.nearest import nearest

_NAMED: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, eq=False)
class Rulebook:
    """Rules, causes and suggestions by name; `categories` has the category of each cause."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    causes: Mapping[str, Cause] = field(default_factory=dict)
    categories: Mapping[str, Category] = field(default_factory=dict)
    suggestions: Mapping[str, SuggestionText] = field(default_factory=dict)

    def explanation(self, finding: Finding) -> Bilingual:
        """What a finding means: the rule's own words, else those of its cause."""
        found = self.rules[finding.rule].explanation or self.causes[finding.cause].explanation
        return Bilingual(en=filled(found.en, finding.extracted), zh=filled(found.zh, finding.extracted))

    def suggestions_for(self, finding: Finding) -> tuple[Suggestion, ...]:
        """What mends a finding, the best first, with what was read out of the log filled in."""
        chosen = self.rules[finding.rule].suggestions
        names = self.causes[finding.cause].suggestions if chosen is None else chosen
        return tuple(_suggestion(name, self.suggestions[name], finding.extracted) for name in names)

    def suggestions_of(self, cause: str, extracted: Mapping[str, str]) -> tuple[Suggestion, ...]:
        """What mends a cause that no rule found, the best first; none for one that is not known."""
        names = self.causes[cause].suggestions if cause in self.causes else ()
        return tuple(_suggestion(name, self.suggestions[name], extracted) for name in names)


def filled(text: str, extracted: Mapping[str, str]) -> str:
    """A text with `{name}` replaced by what was read out of the log; what was not read is left as `<name>`."""
    return _NAMED.sub(lambda named: extracted.get(named[1]) or f"<{named[1]}>", text)


def merged(files: Sequence[RuleFile]) -> Rulebook:
    """The rules of several files; a later file's rule or suggestion replaces an earlier one of the same name.

    Raises SpecError with the place of a cause or suggestion that no file knows, and of a cause in two categories.
    """
    book = Rulebook(
        {name: rule for file in files for name, rule in file.rules.items()},
        {key: cause for file in files for key, cause in file.causes.items()},
        {key: file.category for file in files for key in file.causes},
        {name: suggestion for file in files for name, suggestion in file.suggestions.items()},
    )
    for file in files:
        _check(file, book)
    return book


def _suggestion(name: str, text: SuggestionText, extracted: Mapping[str, str]) -> Suggestion:
    return Suggestion(
        name,
        filled(text.title.en, extracted),
        filled(text.title.zh, extracted),
        text.kind,
        {filled(key, extracted): filled(value, extracted) for key, value in text.change.items()},
        filled(text.why.en, extracted),
        filled(text.why.zh, extracted),
    )


def _check(file: RuleFile, book: Rulebook) -> None:
    for name, rule in file.rules.items():
        _known(rule.cause, book.causes, "cause", file.place("rules", name, "cause"))
        for position, suggestion in enumerate(rule.suggestions or ()):
            _known(suggestion, book.suggestions, "suggestion", file.place("rules", name, "suggestions", position))
    for key, cause in file.causes.items():
        if book.categories[key] is not file.category:
            raise SpecError(
                f"cause {key} is in {file.category.value} here and in {book.categories[key].value} elsewhere",
                where=file.place("causes", key),
                remedy="give it another key",
            )
        for position, suggestion in enumerate(cause.suggestions):
            _known(suggestion, book.suggestions, "suggestion", file.place("causes", key, "suggestions", position))


def _known(name: str, names: Mapping[str, object], kind: str, where: str) -> None:
    if name not in names:
        close = nearest(name, names)
        hint = f"did you mean {close}?" if close else f"define it under `{kind}s`"
        raise SpecError(f"{name} is no {kind} that a rule file defines", where=where, remedy=hint)
