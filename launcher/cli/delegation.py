"""Commands about a run that lives on another host: carried out there, and shown here as if they were here."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

from launcher.cli.output import complain
from launcher.errors import ExitCode, InfrastructureError, NpuLaunchError
from launcher.supervise.fleet.way_home import WayHome, way_home

if TYPE_CHECKING:
    import typer

    from launcher.cli.interrupts import Interrupts
    from launcher.hosts.session import Session, Window
    from launcher.runs.store import RunDirectory

_TO_BEGIN: Final = 30.0  # seconds for a command to begin there, the connecting included
_TO_SIGNAL: Final = 5.0  # seconds
_PASSED_ON: Final = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "TZ")  # variables that change what is shown


def elsewhere(run: RunDirectory, *, to_read: bool = False) -> Away | None:
    """Where a run lives, as `way_home` does."""
    home = way_home(run, to_read=to_read)
    return None if home is None else Away(home.run, home.at, home.host, home.ways)


class Away(WayHome):
    """A run that lives on another host, and commands about it."""

    def do_the_same(self, context: typer.Context, interrupts: Interrupts | None = None) -> int:
        """Carry out the present command there, as `do` does."""
        return self.do((str(context.command.name), *spelled(context, self.run.id)), interrupts)

    def do(self, arguments: Sequence[str], interrupts: Interrupts | None = None) -> int:
        """Carry out `npu-launch ARGUMENTS` there: its outputs are ours, and the signals that come here go there.

        Its exit code; INTERRUPTED for somebody who did not wait for it. Raises InfrastructureError for a host that is
        not reached, or is lost meanwhile.
        """
        from launcher.cli.interrupts import Interrupts
        from launcher.cli.relay import Left, relay, window

        seen = window()
        with ExitStack() as opened:
            opened.enter_context(self.ways)
            session = opened.enter_context(closing(self.begin(arguments, seen)))
            entered = interrupts or opened.enter_context(Interrupts())
            try:
                return relay(session, entered, self._pass_on, at_terminal=seen is not None)
            except NpuLaunchError as error:
                raise self._lost(error) from None
            except Left:
                return ExitCode.INTERRUPTED

    def begin(self, arguments: Sequence[str], seen: Window | None = None) -> Session:
        """Begin `npu-launch ARGUMENTS` there, at a terminal or with pipes. Raises InfrastructureError.

        `ways` has to be entered.
        """
        module = "launcher.cli.from_afar" if seen is None else "launcher.cli.main"
        shown = [f"{name}={os.environ[name]}" for name in _PASSED_ON if name in os.environ]
        shown.append(f"PYTHONIOENCODING={sys.stdout.encoding}")
        argv = [*self.at.command[:-1], *shown, self.at.python, "-m", module, *arguments]
        return self.ways.converse(self.host, argv, seen, _TO_BEGIN)

    def _pass_on(self, session: Session, came: signal.Signals, *, at_terminal: bool) -> None:
        """Hand a signal to the command there: sshd would not, for root."""
        if not at_terminal:
            session.send(bytes([came]))
        elif session.pid is not None:
            kill = f"kill -s {came.name.removeprefix('SIG')} {session.pid}"
            try:
                self.ways(self.host).run(["sh", "-c", kill], timeout=_TO_SIGNAL)
            except NpuLaunchError as error:  # a server that allows no second channel; who is in earnest repeats it
                complain(f"{came.name} was not passed on: {error}")

    def _lost(self, error: NpuLaunchError) -> NpuLaunchError:
        return InfrastructureError(
            error.what,
            where=error.where,
            expected=f"a connection that lasts; run {self.run.id} needs none, and lives on where it is",
            remedy=f"npu-launch logs {self.run.id} -f goes on with it, as soon as the host is reached again",
        )


def spelled(context: typer.Context, run: str) -> list[str]:
    """The arguments of the present command as they were given, but with the whole id of the run."""
    words: list[str] = []
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if parameter.param_type_name == "argument" or source is None or source.name != "COMMANDLINE":
            continue
        value, option = context.params[name], parameter.opts[-1]
        for each in value if isinstance(value, (list, tuple)) else [value]:
            words += [option] if each is True else [option, str(each)]
    return [*words, "--", run]
