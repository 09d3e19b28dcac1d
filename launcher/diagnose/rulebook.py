"""All rules that are known together, with the causes and suggestions that they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from launcher.diagnose.finding import Category, Finding
from launcher.diagnose.rule import Bilingual, Cause, Rule, RuleFile, SuggestionText
from launcher.diagnose.suggestion import Suggestion
from launcher.diagnose.unnamed import filled, is_complete, worded
from launcher.errors import SpecError
from launcher.specs.nearest import nearest


@dataclass(frozen=True, eq=False)
class Rulebook:
    """Rules, causes and suggestions by name; `categories` has the category of each cause."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    causes: Mapping[str, Cause] = field(default_factory=dict)
    categories: Mapping[str, Category] = field(default_factory=dict)
    suggestions: Mapping[str, SuggestionText] = field(default_factory=dict)

    def explanation(self, finding: Finding) -> Bilingual:
        """What a finding means: the rule's own words where all was read that they speak of, else those of its cause."""
        own = self.rules[finding.rule].explanation
        is_own = own is not None and is_complete(own.en, finding.extracted)
        found = own if own is not None and is_own else self.causes[finding.cause].explanation
        return _told(found, finding.extracted)

    def explanation_of(self, cause: str) -> Bilingual | None:
        """What a cause means that no rule found; None for one that is not known."""
        return _told(self.causes[cause].explanation, {}) if cause in self.causes else None

    def suggestions_for(self, finding: Finding) -> tuple[Suggestion, ...]:
        """What mends a finding, the best first, with what was read out of the log filled in."""
        chosen = self.rules[finding.rule].suggestions
        names = self.causes[finding.cause].suggestions if chosen is None else chosen
        return tuple(_suggestion(name, self.suggestions[name], finding.extracted) for name in names)

    def suggestions_of(self, cause: str, extracted: Mapping[str, str]) -> tuple[Suggestion, ...]:
        """What mends a cause that no rule found, the best first; none for one that is not known."""
        names = self.causes[cause].suggestions if cause in self.causes else ()
        return tuple(_suggestion(name, self.suggestions[name], extracted) for name in names)


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


def _told(text: Bilingual, extracted: Mapping[str, str]) -> Bilingual:
    english, chinese = worded(text, extracted)
    return Bilingual(en=english, zh=chinese)


def _suggestion(name: str, text: SuggestionText, extracted: Mapping[str, str]) -> Suggestion:
    title, title_zh = worded(text.title, extracted)
    why, why_zh = worded(text.why, extracted)
    change = {filled(key, extracted): filled(value, extracted) for key, value in text.change.items()}
    return Suggestion(name, title, title_zh, text.kind, change, why, why_zh)


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
