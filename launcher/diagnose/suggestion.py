"""A change that mends a cause, as a value that a program can apply and a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class SuggestionKind(str, Enum):
    """What is changed."""

    SET = "set"  # values of the recipe or the cluster
    ENV = "env"  # environment variables of the ranks
    UPGRADE = "upgrade"  # packages, with what has to move along
    COMMAND = "command"  # something to run on a host
    EDIT = "edit"  # the script, the data or a file, by a person


@dataclass(frozen=True)
class Suggestion:
    """One change and the reason for it.

    `change` depends on the kind. `set` maps dotted keys of the recipe or cluster to values; `knobs.micro_batch` is the
    setting that the recipe's knob of this name turns. `env` maps variables to values. In both, "*2", "/2" and "+60" are
    relative to the value that the run had. `upgrade` maps packages to the versions wanted; `with` says what has to move
    along. `command` has `run`, and `on`: "host" (that of the finding), "every host" or "here". `edit` has `what`, and
    `where` if that is known.
    """

    id: str
    title: str
    title_zh: str
    kind: SuggestionKind
    change: Mapping[str, str]
    why: str
    why_zh: str
