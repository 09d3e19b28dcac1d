"""What the homes of runs that live elsewhere say of them, asked all at once; `ps --json` says what there is to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from launcher.cli.delegation import Away, elsewhere
from launcher.errors import NpuLaunchError

if TYPE_CHECKING:
    from launcher.runs.pointer import At
    from launcher.runs.store import RunDirectory

_LIMIT: Final = 5.0  # seconds for a home to answer, the connecting included
_HOMES_AT_ONCE: Final = 16


def ask_homes(runs: Iterable[Away]) -> dict[str, dict[str, Any]]:
    """What `ps --json` says of these runs where they live, by id; a run whose home does not answer is missing."""
    homes: dict[tuple[At, str], list[Away]] = {}
    for away in runs:
        homes.setdefault((away.at, away.host.address), []).append(away)
    if not homes:
        return {}
    with ThreadPoolExecutor(min(len(homes), _HOMES_AT_ONCE), thread_name_prefix="homes") as pool:
        answers = list(pool.map(lambda aways: _ask(aways[-1]), homes.values()))
    wanted = {away.run.id for aways in homes.values() for away in aways}
    return {run: document for answer in answers for run, document in answer.items() if run in wanted}


def unended(runs: Sequence[RunDirectory]) -> list[RunDirectory]:
    """The runs whose record has no end, and those whose home does not answer.

    The record decides and not whether somebody keeps the run: of one that has just been started nobody does yet.
    """
    away = {run.id: found for run in runs if (found := elsewhere(run, to_read=True)) is not None}
    told = ask_homes(away.values())
    return [run for run in runs if (told.get(run.id, {}).get("ended") if run.id in away else run.state().ended) is None]


def _ask(away: Away) -> Mapping[str, dict[str, Any]]:
    try:
        with away.ways:
            argv = [*away.at.command, "-m", "launcher.cli.main", "ps", "--json"]
            answer = away.ways(away.host).run(argv, timeout=_LIMIT)
        return {str(document["run"]): document for document in json.loads(answer.stdout)}
    except (NpuLaunchError, ValueError, LookupError, TypeError):
        return {}
