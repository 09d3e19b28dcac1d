"""Whether rule files are sound, and their rules hold where they say that they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from launcher.diagnose.finding import Category
from launcher.diagnose.loading import OURS, read_file, read_files, rule_files
from launcher.diagnose.matching import find_in_text
from launcher.diagnose.rule import RuleFile
from launcher.diagnose.rulebook import Rulebook, merged
from launcher.logs.record import Source


def lint(paths: Sequence[Path]) -> list[str]:
    """What is to be mended in these files, beside ours: `file:line:column: what`, in the order of the files.

    Raises SpecError for a file that is no rule file.
    """
    files = [read_file(path) for path in paths]
    ours = rule_files(OURS)
    others = [path for path in ours if path not in paths]
    beside = read_files(ours) if others == ours else map(read_file, others)
    book = merged([*beside, *files])
    return [problem for file in files for problem in _problems(file, book)]


def _problems(file: RuleFile, book: Rulebook) -> Iterator[str]:
    for name, rule in file.rules.items():
        if not rule.examples:
            yield f"{file.place('rules', name)}: {name} has no example that shows where it holds"
        for position, example in enumerate(rule.examples):
            source = rule.source[0] if rule.source else Source.STDOUT
            if rule.when.is_empty and name not in {each.rule for each in find_in_text(example, book, source=source)}:
                yield f"{file.place('rules', name, 'examples', position)}: {name} does not hold in its example"
    named = {each for rule in book.rules.values() for each in rule.suggestions or ()}
    named |= {each for cause in book.causes.values() for each in cause.suggestions}
    shown = {rule.cause for rule in book.rules.values()}
    for name in file.suggestions:
        if name not in named:
            yield f"{file.place('suggestions', name)}: no cause and no rule has the suggestion {name}"
    for key in file.causes:
        if key not in shown and file.category is not Category.NONE:
            yield f"{file.place('causes', key)}: no rule shows the cause {key}"
