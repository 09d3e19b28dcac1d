"""The command line: which command is meant, and what becomes of its errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Annotated, NoReturn

import typer

from launcher.cli import (
    bundle,
    check,
    diagnose,
    discover,
    down,
    follow,
    gather,
    logs,
    new,
    plan,
    prune,
    ps,
    ranktable,
    rerun,
    rules,
    run,
    schema,
    status,
    stop,
    up,
)
from launcher.cli.output import accept_any_text, complain, open_closed_streams, silence
from launcher.errors import ExitCode, NpuLaunchError

_NAME = "npu-launch"
_MACHINE_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)

_UNSAID = frozenset({"follow"})  # commands that npu-launch gives to itself

app = typer.Typer(
    name=_NAME,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _command in (
    run.run,
    new.new,
    plan.plan,
    check.check,
    ps.ps,
    status.status,
    logs.logs,
    diagnose.diagnose,
    gather.gather,
    stop.stop,
    rerun.rerun,
    up.up,
    down.down,
    bundle.bundle,
    prune.prune,
    ranktable.ranktable,
    schema.schema,
    discover.discover,
):
    app.command()(_command)
app.add_typer(rules.app)
app.command(hidden=True)(follow.follow)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"{_NAME} {version(_NAME)}")
        except PackageNotFoundError:
            print(f"{_NAME} (not installed)")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Launch training jobs on Ascend NPUs, keep them running, explain failures.

    \b
    npu-launch RECIPE        the same as npu-launch run RECIPE
    npu-launch run --help    its options; every command has --help
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no exception leaves it."""
    open_closed_streams()
    accept_any_text()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command = typer.main.get_command(app)
        arguments = with_command(arguments, getattr(command, "commands", {}))
        code = command.main(arguments, prog_name=_NAME, standalone_mode=False)
        sys.stdout.flush()
    except NpuLaunchError as error:
        complain(str(error))
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # `npu-launch logs | head`: the reader has seen enough. Typer turns the one into the other.
        code = ExitCode.OK
    except Exception as error:
        code = _usage_error(error) or _machine_error(error) or _bug(error)
    silence()
    return int(code or 0)


def with_command(arguments: list[str], commands: Collection[str]) -> list[str]:
    """The arguments with the command spelled out: `run`, when they begin with a recipe or an option of `run`.

    Raises NpuLaunchError for a word that is neither a command nor can be a recipe.
    """
    if not arguments:
        return ["--help"]
    if arguments[0] in commands or arguments[0] in ("-h", "--help", "--version"):
        return arguments
    first = arguments[0]
    if not first.startswith("-") and "/" not in first and "." not in first and not os.path.exists(first):  # noqa: PTH110
        from launcher.errors import UsageError
        from launcher.logs.safe import safe_line

        nearest = get_close_matches(first, commands, 1)
        raise UsageError(
            f"'{safe_line(first)}' is neither a command nor a recipe",
            expected=f"a recipe file, or one of {', '.join(name for name in commands if name not in _UNSAID)}",
            remedy=f"{_NAME} {nearest[0]}" if nearest else f"{_NAME} --help",
        )
    return ["run", *arguments]


def _usage_error(error: Exception) -> ExitCode | None:
    """Say what is wrong with the command line, when that is what the error is about."""
    describe = getattr(error, "format_message", None)
    if describe is None:
        return None
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else _NAME
    if message := describe():
        complain(f"{message[0].lower()}{message[1:]}\n  remedy    {where} --help")
    return ExitCode.USAGE


def _machine_error(error: Exception) -> ExitCode | None:
    """Say what the machine has run out of, when that is what the error is about."""
    if not isinstance(error, OSError) or error.errno not in _MACHINE_ERRORS:
        return None
    where = f"{error.filename}: " if error.filename else ""
    complain(f"{where}{error.strerror}")
    return ExitCode.INFRASTRUCTURE


def _bug(error: Exception) -> ExitCode:
    """An error that nobody foresaw: a person gets a sentence, whoever mends it a file."""
    import time
    import traceback

    from launcher.runs.home import home, write_file

    path = home() / "crash" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    try:
        write_file(path, f"{sys.argv}\n{''.join(traceback.format_exception(error))}")
        kept = f"the details are in {path}"
    except Exception as unwritten:
        kept = f"the details could not be written to {path}: {unwritten.__class__.__name__}"
    complain(f"{what}\n  this is a bug in {_NAME}, not in your job; {kept}")
    return ExitCode.INFRASTRUCTURE


def entry() -> NoReturn:
    """The installed command: `main`, without the interpreter's farewell, which can take longer than a fault's news.

    Nothing is open by then that needs one: both streams are flushed, and every file was closed by whoever wrote it.
    """
    os._exit(main())


if __name__ == "__main__":
    entry()
