"""The facts that single lines tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.diagnose.root.facts import (
    Connected,
    Ended,
    Fact,
    Limit,
    Member,
    Node,
    Operation,
    Place,
    Plight,
    Stage,
    Suspect,
    Tls,
    Wait,
)
from launcher.diagnose.root.reading import MOST_ALIKE, FactReader
from launcher.logs.record import LogFile, Source
from launcher.logs.scan import Match

CAPTURES = Path(__file__).parents[2] / "captures/diagnosis/facts.log"
FILE = LogFile(Path("plog"), "plog", Source.PLOG, rank=2)


def facts_of(line: str, times: int = 1) -> list[Fact]:
    reader = FactReader()
    kinds = frozenset(index for index, text in enumerate(reader.texts) if text in line)
    for number in range(times):
        reader.take(FILE, Match(0, line.encode(), kinds, number + 1), kinds)
    return reader.facts


def captured(words: str) -> str:
    return next(line for line in CAPTURES.read_text().splitlines() if words in line)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Entry-Hccl", [(Member, {"group": "127.10.0.1%enp_60000_0_17", "size": 4, "rank": 2, "ready": False})]),
        ("SetupAgent", [(Member, {"size": 3, "rank": 0, "node": Node("10.20.8.250", 0)})]),
        ("init by file", [(Member, {"group": "hccl_world_group", "size": 8, "rank": 5, "ready": True})]),
        (
            "EI0002",
            [
                (Wait, {"stage": Stage.NOTIFY, "peer": 24, "own": 25, "group": "group_name_1654"}),
                (Operation, {"group": "group_name_1654", "size": 32, "own": 25}),
            ],
        ),
        ("4294967295", [(Wait, {"peer": None})]),
        ("LinkEstablish", [(Wait, {"stage": Stage.LINK, "peer": None, "own": 1, "limit": 120.0})]),
        ("| time out |", [(Wait, {"stage": Stage.LINK, "peer": 27, "own": 0}), (Tls, {"enabled": False})]),
        ("remoteRank", [(Wait, {"stage": Stage.LINK, "peer": 0, "own": 1})]),
        ("dst_rank", [(Wait, {"stage": Stage.LINK, "peer": 7, "own": 4})]),
        ("agent get", [(Wait, {"stage": Stage.ROOT, "peer": 0, "limit": 120.0})]),
        ("server get", [(Wait, {"stage": Stage.ROOT, "peer": None, "limit": 120.0})]),
        ("connected rankinfo", [(Connected, {"ranks": (0, 2, 4, 6)})]),
        ("need connect", [(Connected, {"ranks": (), "wanted": 8})]),
        (
            "crimer",
            [
                (Suspect, {"plight": Plight.LOST, "node": Node("127.10.0.1", 9), "by": Node("127.10.0.1", 8)}),
                (Place, {"node": Node("127.10.0.1", 1)}),
            ],
        ),
        ("Exception Location", [(Suspect, {"plight": Plight.STUCK, "node": Node("127.10.0.1", 1)})]),
        ("cqe error", [(Suspect, {"plight": Plight.CQE, "node": Node("10.20.8.2", 3)})]),
        ("node list", [(Suspect, {"plight": Plight.LOST, "rank": 3})]),
        (
            "enabled tls",
            [
                (Tls, {"enabled": True, "nodes": (Node("10.20.8.1", 6),)}),
                (Tls, {"enabled": False, "nodes": (Node("10.20.8.1", 0), Node("10.20.8.1", 1))}),
            ],
        ),
        ("TLS SWITCH", [(Tls, {"enabled": True, "nodes": None})]),
        ("is set, timeOut", [(Limit, {"variable": "HCCL_CONNECT_TIMEOUT", "seconds": 600.0})]),
        ("opData", [(Operation, {"sequence": 21, "amount": 256, "dtype": "float32"}), (Wait, {"peer": None})]),
        ("Watchdog", [(Wait, {"peer": None}), (Operation, {"tag": "ALLREDUCE", "sequence": 12})]),
        ("exitcode", [(Ended, {"code": -9, "local_rank": 0, "pid": 14447})]),
        ("mpirun", [(Ended, {"code": -11, "rank": 7, "pid": 4711, "host": "node-1"})]),
        ("task 3: Killed", [(Ended, {"code": -9, "rank": 3, "host": "node-1"})]),
        ("task 4:", [(Ended, {"code": 2, "rank": 4})]),
    ],
)
def test_a_line_tells(words: str, told: list[tuple[type, dict[str, object]]]) -> None:
    found = facts_of(captured(words))
    assert [type(fact) for fact in found] == [kind for kind, _ in told]
    for fact, (_, fields) in zip(found, told, strict=True):
        assert {name: getattr(fact, name) for name in fields} == fields


def test_the_rank_of_a_line_is_that_of_its_file_unless_it_says_another() -> None:
    (wait, _) = facts_of(captured("Watchdog"))
    assert wait.seen.rank == 3
    assert facts_of(captured("TLS SWITCH"))[0].seen.rank == 2


def test_a_storm_of_one_kind_is_read_to_a_limit() -> None:
    assert len(facts_of(captured("TLS SWITCH"), MOST_ALIKE + 100)) == MOST_ALIKE
