"""After a run that lives elsewhere has failed: what its hosts have to tell is fetched to where it was followed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from launcher.cli.meanwhile import done_meanwhile
from launcher.cli.output import talk
from launcher.errors import ExitCode, NpuLaunchError

if TYPE_CHECKING:
    from launcher.cli.delegation import Away
    from launcher.cli.interrupts import Interrupts

_FAILED: Final = (ExitCode.JOB_FAILED, ExitCode.GAVE_UP, ExitCode.INFRASTRUCTURE)
_MOST: Final = 64 << 20  # bytes
_COMING_HOME: Final = 60.0  # seconds that the home may still be gathering
_WHAT: Final = "fetching what its hosts have to tell; Ctrl-C leaves it there"


def fetch_evidence(away: Away, code: int, interrupts: Interrupts) -> int:
    """Fetch what a failed run left, and say so in a line; an interrupt leaves it there.

    `code` is how the run was followed to its end, and is returned whatever comes of this.
    """
    if code not in _FAILED:
        return code
    said: list[str] = []

    def work() -> None:
        try:
            said.append(_fetch(away))
        except Exception as error:  # whatever it is, what counts is how the run ended
            why = error.what if isinstance(error, NpuLaunchError) else str(error)
            said.append(f"what its hosts have to tell was not fetched: {why}; {_later(away)}")

    ended = done_meanwhile(work, interrupts, _WHAT)
    talk(f"npu-launch: {said[0] if ended else f'it stays where it is; {_later(away)}'}")
    return code


def _fetch(away: Away) -> str:
    """What came of it, in a line."""
    from launcher.hosts.provision.outcome import Provided
    from launcher.logs.safe import safe_line
    from launcher.supervise.fleet.evidence import ask_home
    from launcher.supervise.gather.fetching import fetch
    from launcher.supervise.gather.outcome import Limits

    limits = Limits(host_bytes=_MOST)
    with away.ways as ways:
        reach = ways(away.host)
        missing = False
        with suppress(NpuLaunchError):  # what has come by now is there
            answer = ask_home(away.run, reach, away.at, 0, Limits(), _COMING_HOME)
            missing = answer.gathered is not None and any(host.is_lost for host in answer.gathered.hosts)
        provided = Provided(host=away.at.host, home=away.at.home, python=away.at.python, machine="")
        came = fetch(away.run.id, reach, provided, away.run.path, limits=limits)
    text = f"what its hosts have to tell is in {away.run.path} ({came.files} files, {came.bytes / (1 << 20):,.1f} MiB)"
    if missing or came.cut:
        text += f", but for what is cut or could not be had; {_later(away)}"
    return safe_line(text)


def _later(away: Away) -> str:
    return f"npu-launch gather {away.run.id} fetches it"
