"""`npu-launch rules`: what the diagnosis knows, and whether one's own rules are sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import JsonOption

if TYPE_CHECKING:
    from launcher.diagnose.codes import Explanation
    from launcher.diagnose.finding import Finding
    from launcher.diagnose.rulebook import Rulebook

app = typer.Typer(
    name="rules",
    help="Look at the rules of the diagnosis, and check your own in ~/.config/npu-launch/rules.d.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command("list")
def show_all(
    category: Annotated[str, typer.Option(metavar="NAME", help="Only causes of this category.")] = "",
    as_json: JsonOption = False,
) -> int:
    """List every rule with its cause, role and weight.

    \b
    npu-launch rules list --category memory
    npu-launch rules list --json | jq -r '.[].cause' | sort -u
    """
    import json

    from launcher.cli.options import one_of
    from launcher.cli.output import put
    from launcher.diagnose.finding import Category
    from launcher.diagnose.loading import rulebook

    if category:
        one_of("--category", *(each.value for each in Category))(category)
    book = rulebook()
    rows = [
        {
            "rule": name,
            "cause": rule.cause,
            "category": book.categories[rule.cause].value,
            "role": rule.role.value,
            "weight": rule.weight,
            "confidence": rule.confidence.value,
        }
        for name, rule in book.rules.items()
        if category in ("", book.categories[rule.cause].value)
    ]
    if as_json:
        put(json.dumps(rows, indent=2))
        return 0
    widths = (
        {key: max(len(str(row[key])) for row in rows) for key in ("rule", "cause", "category", "role")} if rows else {}
    )
    for row in rows:
        padded = "  ".join(str(row[key]).ljust(width) for key, width in widths.items())
        put(f"{padded}  {row['weight']:>3}  {row['confidence']}")
    return 0


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A rule, a cause, or a code such as EI0006 or 507015.")],
) -> int:
    """Tell all about a rule or a cause, or what a code means.

    \b
    npu-launch rules show device_oom
    npu-launch rules show EI0006
    """
    from launcher.diagnose.codes import explain
    from launcher.diagnose.loading import rulebook
    from launcher.errors import UsageError
    from launcher.specs.nearest import nearest

    book = rulebook()
    if name in book.causes:
        _put_cause(name, book)
    elif name in book.rules:
        _put_rule(name, book)
    elif (explanation := explain(name)) is not None:
        _put_code(explanation)
    else:
        close = nearest(name, [*book.causes, *book.rules])
        raise UsageError(
            f"'{name}' is neither a rule nor a cause nor a code that is known",
            remedy=f"did you mean {close}?" if close else "npu-launch rules list",
        )
    return 0


@app.command()
def lint(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Rule files.", show_default=False)
    ] = None,
) -> int:
    """Check rule files: form, patterns, and that each rule holds in its examples.

    Without FILE, those that come with npu-launch and your own. Exit code 2
    where something has to be mended.
    """
    from launcher.cli.output import put
    from launcher.diagnose.linting import lint as problems_of
    from launcher.diagnose.loading import OURS, rule_files, user_folder
    from launcher.errors import ExitCode

    problems = problems_of(files or [*rule_files(OURS), *rule_files(user_folder())])
    for problem in problems:
        put(problem)
    return ExitCode.USAGE if problems else ExitCode.OK


@app.command()
def test(
    log: Annotated[Path, typer.Argument(metavar="FILE", help="A log, or - for stdin.", show_default=False)],
    rule: Annotated[str, typer.Option(metavar="NAME", help="Only this rule.", show_default=False)] = "",
) -> int:
    """Try all rules on a log, and print every place where one holds.

    Exit code 1 where none does. The line that would be the cause of this log
    alone has a >.
    """
    import sys

    from launcher.cli.output import put
    from launcher.diagnose.choosing import choose
    from launcher.diagnose.loading import rulebook
    from launcher.diagnose.matching import find, find_in_text
    from launcher.errors import ExitCode, UsageError
    from launcher.logs.record import LogFile, Source

    book = rulebook()
    if rule and rule not in book.rules:
        raise UsageError(f"there is no rule {rule}", remedy="npu-launch rules list")
    if str(log) == "-":
        findings = find_in_text(sys.stdin.buffer.read().decode(errors="surrogateescape"), book)
    else:
        try:
            findings = find([LogFile(log, str(log), Source.STDOUT)], book)
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=str(log)) from None
    chosen = choose(findings)
    shown = [each for each in findings if rule in ("", each.rule)]
    for each in shown:
        put(_line(each, is_cause=each is chosen))
    return ExitCode.OK if shown else ExitCode.JOB_FAILED


def _line(finding: Finding, *, is_cause: bool) -> str:
    from launcher.cli.wording import cut
    from launcher.logs.safe import safe_line

    read = "  ".join(f"{name}={value}" for name, value in finding.extracted.items())
    first = finding.evidence[0]
    told = (
        f"{'>' if is_cause else ' '} {first.file}:{first.line}  {finding.cause}  {finding.rule}  {finding.role.value}"
    )
    text = cut(safe_line(first.text), 110)
    return f"{told}\n      {text}" + (f"\n      {safe_line(read)}" if read else "")


def _put_code(explanation: Explanation) -> None:
    from launcher.cli.output import put

    put(f"{explanation.code}  {explanation.family}: {explanation.meaning}")
    put(f"  {explanation.family_zh}：{explanation.meaning_zh}")
    if explanation.fix:
        put(f"  fix  {explanation.fix}")


def _put_cause(key: str, book: Rulebook) -> None:
    from launcher.cli.output import put

    cause = book.causes[key]
    put(f"{key}  {book.categories[key].value}  {cause.title.en} / {cause.title.zh}")
    put(f"  {cause.explanation.en}\n  {cause.explanation.zh}")
    for name in cause.suggestions:
        suggestion = book.suggestions[name]
        put(f"  fix   {name} ({suggestion.kind.value}): {suggestion.title.en}\n        {suggestion.title.zh}")
    put(f"  rules {', '.join(name for name, rule in book.rules.items() if rule.cause == key) or 'none'}")


def _put_rule(name: str, book: Rulebook) -> None:
    from launcher.cli.output import put

    rule = book.rules[name]
    told = f"{rule.role.value}  weight {rule.weight}  {rule.confidence.value} confidence"
    put(f"{name}  {rule.cause} ({book.categories[rule.cause].value})  {told}")
    for key in ("all", "any", "none", "near", "away", "given", "level", "module", "sources", "examples"):
        for value in getattr(rule, key):
            put(f"  {key:<8}  {value}")
