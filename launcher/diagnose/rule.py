"""What rule files say: causes, the rules that find them in logs, and the suggestions that mend them."""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from launcher.diagnose.arithmetic import names
from launcher.diagnose.finding import Category, Confidence, Role
from launcher.diagnose.required import SHORTEST, SHORTEST_WORD
from launcher.diagnose.suggestion import SuggestionKind
from launcher.diagnose.wanted import Wanted, wanted
from launcher.logs.record import Level, Source
from launcher.specs.fields import FilledText, Form, refuse
from launcher.specs.frozen import FrozenMap
from launcher.specs.spec import Part, Spec

FARTHEST: Final = 60
"""Lines between the record that a rule finds and the others that it asks for, at most."""

_NOT_TELLING: Final = (
    f"nothing to scan for: a phrase, a word of {SHORTEST_WORD} letters or a code of {SHORTEST} characters "
    "that has to occur and is no everyday word"
)


def _checked_condition(text: str) -> str:
    try:
        names(text)
    except ValueError as error:
        raise refuse(str(error)) from None
    return text


def _words(choices: type[Enum]) -> str:
    return ", ".join(str(choice.value) for choice in choices)


Condition = Annotated[
    str,
    AfterValidator(_checked_condition),
    Form("a comparison of sums and products of extracted names and numbers, such as free < tried / 2"),
]
LevelName = Annotated[
    str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$"), Form("DEBUG, INFO, WARNING, ERROR or CRITICAL")
]
Texts = Annotated[tuple[FilledText, ...], Field(strict=False), Form("a list of texts, none empty")]
Patterns = Annotated[Texts, Form("a list of phrases and of /regular expressions/")]
Numbers = Annotated[tuple[int, ...], Field(strict=False), Form("a list of whole numbers")]


class Bilingual(Part):
    """A text in both languages."""

    en: FilledText = Field(description="In English.")
    zh: FilledText = Field(description="In Chinese.")


class SuggestionText(Part):
    """A change that mends something; `{name}` in its texts stands for what the rule read out of the log."""

    kind: Annotated[SuggestionKind, Form(_words(SuggestionKind))] = Field(strict=False, description="What is changed.")
    title: Bilingual = Field(description="The change in a line.")
    change: Annotated[FrozenMap[FilledText, FilledText], Form("a mapping of texts")] = Field(
        description="The change as a program applies it; see launcher/diagnose/suggestion.py."
    )
    why: Bilingual = Field(description="Why that helps.")


class Cause(Part):
    """Why a job fails."""

    title: Bilingual = Field(description="The cause in a few words.")
    explanation: Bilingual = Field(description="What that is, and what it comes from.")
    suggestions: Texts = Field(default=(), description="Names of what mends it, the best first.")


class When(Part):
    """What has to be known of the run besides its logs; what is not known does not fulfil it."""

    exit_code: Numbers = Field(default=(), description="The job's exit code is one of these.")
    signal: Numbers = Field(default=(), description="The rank was ended by one of these signals.")
    soc: Texts = Field(default=(), description="The chip (Ascend910B3), or its family (Ascend910B), is one of these.")
    framework: Texts = Field(default=(), description="The recipe's framework is one of these.")
    versions: Annotated[FrozenMap[FilledText, FilledText], Form("packages with version ranges such as <8.0")] = Field(
        default_factory=FrozenMap, description="Versions of packages: cann, driver, torch_npu and so on."
    )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return self == When()


class Rule(Part):
    """What shows a cause in a log: the patterns of one record, and what has to stand around it."""

    cause: FilledText = Field(description="What it shows: a key of `causes`.")
    role: Annotated[Role, Form(_words(Role))] = Field(
        default=Role.ROOT_CANDIDATE, strict=False, description="What the finding can be in the story of a failure."
    )
    weight: Annotated[int, Field(ge=0, le=100), Form("0 to 100")] = Field(
        default=50, description="How near to a root the sentence is: of two findings of a role the heavier wins."
    )
    confidence: Annotated[Confidence, Form(_words(Confidence))] = Field(
        default=Confidence.MEDIUM, strict=False, description="How often the cause is right where the rule holds."
    )
    all: Patterns = Field(default=(), description="Each stands in the record.")
    any: Patterns = Field(default=(), description="One of them stands in the record.")
    none: Patterns = Field(default=(), description="None of them stands in the record.")
    near: Patterns = Field(default=(), description="Each stands in the record or within so many lines of it.")
    away: Patterns = Field(default=(), description="None stands in the record or within so many lines of it.")
    within: Annotated[int, Field(ge=1, le=FARTHEST), Form(f"lines, 1 to {FARTHEST}")] = Field(
        default=30, description="How many lines that are."
    )
    level: Annotated[tuple[LevelName, ...], Field(strict=False), Form("a list of levels")] = Field(
        default=("ERROR", "CRITICAL"),
        description="The record's level is one of these, or it has none: what is told in passing is mostly no fault.",
    )
    module: Texts = Field(default=(), description="The record's module (HCCL, RUNTIME, DEVICE) is one of these.")
    source: Annotated[
        tuple[Annotated[Source, Field(strict=False), Form(_words(Source))], ...],
        Field(strict=False),
        Form("a list of sources"),
    ] = Field(
        default=(),
        description="The log is of one of these sources; npu-launch's own logs are only read where it says so.",
    )
    given: Annotated[tuple[Condition, ...], Field(strict=False), Form("a list of conditions")] = Field(
        default=(), description="What has to be true of the numbers that named groups read out, sizes in bytes."
    )
    when: When = Field(default_factory=When, description="What has to be known of the run.")
    explanation: Bilingual | None = Field(default=None, description="Instead of the cause's.")
    suggestions: Texts | None = Field(default=None, description="Instead of the cause's.")
    sources: Texts = Field(default=(), description="Where this is known from.")
    examples: Texts = Field(default=(), description="Texts in which the rule holds; `rules lint` tries them.")

    @model_validator(mode="after")
    def _can_be_scanned_for(self) -> Rule:
        if not self.all and not self.any:
            raise refuse("has neither `all` nor `any`, and would never be found")
        if any(each.texts for each in self.wanted_all):
            return self
        for position, each in enumerate(self.wanted_any):
            if not each.texts:
                raise refuse(f"holds {_NOT_TELLING}", "any", position)
        if not self.any:
            raise refuse(f"hold {_NOT_TELLING}", "all")
        return self

    @cached_property
    def wanted_all(self) -> tuple[Wanted, ...]:
        return tuple(map(wanted, self.all))

    @cached_property
    def wanted_any(self) -> tuple[Wanted, ...]:
        return tuple(map(wanted, self.any))

    @cached_property
    def wanted_none(self) -> tuple[Wanted, ...]:
        return tuple(map(wanted, self.none))

    @cached_property
    def wanted_near(self) -> tuple[Wanted, ...]:
        return tuple(map(wanted, self.near))

    @cached_property
    def wanted_away(self) -> tuple[Wanted, ...]:
        return tuple(map(wanted, self.away))

    @cached_property
    def levels(self) -> frozenset[Level]:
        return frozenset(Level[name] for name in self.level)

    @property
    def anchors(self) -> tuple[Wanted, ...]:
        """What a scanner looks for: where none of these is found, the rule does not hold."""
        return next(((each,) for each in self.wanted_all if each.texts), self.wanted_any)


class RuleFile(Spec):
    """A file of rules."""

    category: Annotated[Category, Form(_words(Category))] = Field(
        strict=False, description="The group that the file's causes belong to."
    )
    suggestions: Annotated[FrozenMap[FilledText, SuggestionText], Form("a mapping of names to suggestions")] = Field(
        default_factory=FrozenMap, description="What mends causes, by name; also of other files."
    )
    causes: Annotated[FrozenMap[FilledText, Cause], Form("a mapping of keys to causes")] = Field(
        default_factory=FrozenMap, description="The causes of this group."
    )
    rules: Annotated[FrozenMap[FilledText, Rule], Form("a mapping of names to rules")] = Field(
        default_factory=FrozenMap, description="What shows them, by name."
    )
