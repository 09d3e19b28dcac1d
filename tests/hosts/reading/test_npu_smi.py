"""The answers of npu-smi, in every layout that is known, mean what a person reads in them."""

from __future__ import annotations

import pytest

from launcher.hosts.reading.npu_smi_fields import (
    ChipHealth,
    SuperPod,
    board_soc,
    read_board,
    read_chips,
    read_health,
    read_product,
    read_super_pod,
)
from launcher.hosts.reading.npu_smi_info import Chip, Info, read_info
from launcher.hosts.reading.npu_smi_mapping import Card, MappedChip, read_list, read_mapping
from launcher.hosts.reading.npu_smi_topology import Topology, read_topology
from launcher.hosts.report import Health, NpuProcess, Unread
from tests.hosts.reading.samples import sample


def info(name: str) -> Info:
    found = read_info(sample(f"npu_smi/info_{name}.txt"))
    assert isinstance(found, Info)
    assert found.unread == ()
    return found


def test_the_table_of_910a_with_hdk_20_is_read() -> None:
    found = info("910A_20.2.2")
    assert found.driver == "20.2.2.spc001"
    assert found.chips == (
        Chip(0, 0, "910A", Health.OK, None, "0000:C1:00.0", 68.6, 36.0, 0, ddr=(591, 14795), hbm=(0, 32768)),
    )


def test_the_table_of_910a_with_huge_pages_is_read_with_its_processes() -> None:
    found = info("910A_21.0.4")
    assert [(chip.card, chip.health, chip.hbm) for chip in found.chips] == [
        (0, Health.OK, (0, 32768)),
        (3, Health.WARNING, (30528, 32768)),
    ]
    assert found.processes == ((3, 0, NpuProcess(4242, "python3", 30592)),)


def test_the_table_of_910b_is_read_with_a_process_whose_name_is_hidden() -> None:
    found = info("910B3_23.0.7")
    assert [(chip.name, chip.health, chip.hbm, chip.aicore) for chip in found.chips] == [
        ("910B3", Health.OK, (3338, 65536), 0),
        ("910B3", Health.ALARM, (60478, 65536), 12),
    ]
    assert [process for _, _, process in found.processes] == [
        NpuProcess(4242, "python3", 1024),
        NpuProcess(4243, "", 56000),
    ]


@pytest.mark.parametrize("name", ["910C_24.1.rc3", "910C_26.0.rc1"])
def test_the_two_dies_of_a3_are_told_by_their_physical_ids(name: str) -> None:
    found = info(name)
    assert [(chip.card, chip.chip, chip.id) for chip in found.chips][:2] == [(0, 0, 0), (0, 1, 1)]
    assert found.chips[0].power is not None
    assert found.chips[1].power is None
    assert found.chips[1].bus_id == "0000:9F:00.0"


def test_a_column_more_in_the_head_and_the_rows_does_no_harm() -> None:
    lines = sample("npu_smi/info_910B3_23.0.7.txt").splitlines()
    wider = [f"{line[:28]}| 7    {line[28:]}" if line[28:29] == "|" else line for line in lines]
    found = read_info("\n".join(wider))
    assert isinstance(found, Info)
    assert found.chips == info("910B3_23.0.7").chips


def test_a_row_that_is_not_understood_is_reported_with_its_text_and_the_others_are_read() -> None:
    text = sample("npu_smi/info_910B3_23.0.7.txt").replace("0    / 0          3338 / 65536", "3338 of 65536")
    found = read_info(text)
    assert isinstance(found, Info)
    assert [chip.card for chip in found.chips] == [1]
    assert "3338 of 65536" in found.unread[0].text


@pytest.mark.parametrize("again", ["| 1     1                   | 0000:9F", "| 0     0                   | 0000:9D"])
def test_a_chip_or_a_physical_id_that_is_there_twice_is_reported_and_counts_once(again: str) -> None:
    name = "npu_smi/info_910C_24.1.rc3.txt"
    found = read_info(sample(name).replace("| 0     2                   | 0000:99", again))
    assert isinstance(found, Info)
    assert [chip.id for chip in found.chips] == [0, 1, 3]
    assert "twice" in found.unread[0].reason


def test_a_health_that_nobody_documents_is_not_taken_for_good() -> None:
    found = read_info(sample("npu_smi/info_910A_20.2.2.txt").replace("| OK   ", "| Fine "))
    assert isinstance(found, Info)
    assert found.chips[0].health is None
    assert "'Fine'" in found.unread[0].reason


@pytest.mark.parametrize("text", ["", "dcmi module initialize failed. ret is -8005", "npu-smi: command not found\n"])
def test_an_answer_without_a_table_is_reported_with_its_text(text: str) -> None:
    found = read_info(text)
    assert isinstance(found, Unread)
    assert found.text == text.strip()


def test_chips_are_mapped_to_their_numbers_on_every_generation() -> None:
    assert read_mapping(sample("npu_smi/mapping_910A.txt")) == (
        MappedChip(0, 0, 0, None, "Ascend 910A"),
        MappedChip(1, 0, 1, None, "Ascend 910A"),
    )
    found = read_mapping(sample("npu_smi/mapping_910B3.txt"))
    assert not isinstance(found, Unread)
    assert [(chip.card, chip.logical, chip.soc) for chip in found] == [(0, 0, "Ascend910B3"), (1, 1, "Ascend910B3")]
    found = read_mapping(sample("npu_smi/mapping_910C.txt"))
    assert not isinstance(found, Unread)
    assert [(chip.card, chip.chip, chip.physical) for chip in found] == [(0, 0, 0), (0, 1, 1), (1, 0, 2)]
    found = read_mapping(sample("npu_smi/mapping_950.txt"))
    assert not isinstance(found, Unread)
    assert [(chip.physical, chip.logical, chip.soc) for chip in found] == [
        (0, None, "Ascend950"),
        (1, None, "Ascend950"),
    ]


def test_cards_are_listed_and_a_list_that_is_short_is_reported() -> None:
    assert read_list(sample("npu_smi/list_910A.txt")) == (
        Card(0, 1, "IT21PDDA01", "033VNY10MB000071"),
        Card(1, 1, "IT21PDDA01", "033VNY10MB000072"),
    )
    assert read_list(sample("npu_smi/list_910C.txt")) == (Card(0, 2, None, None), Card(1, 2, None, None))
    short = read_list(sample("npu_smi/list_910A.txt").replace("Count                    : 2", "Count : 8"))
    assert isinstance(short, Unread)
    assert "8" in short.reason


def test_usages_memory_and_common_are_read_by_their_keys() -> None:
    usages = read_chips(sample("npu_smi/usages_910A.txt"), "usages")
    assert not isinstance(usages, Unread)
    assert (usages[0]["HBM Capacity(MB)"], usages[0]["Chip ID"]) == ("32768", "0")
    memory = read_chips(sample("npu_smi/memory_910B3.txt"), "memory")
    assert not isinstance(memory, Unread)
    assert memory[0]["HBM Capacity(MB)"] == "65536"
    common = read_chips(sample("npu_smi/common_910A.txt"), "common")
    assert not isinstance(common, Unread)
    assert common[0]["Aicore Count"] == "30"


def test_health_has_its_codes_and_all_lines_of_what_is_said() -> None:
    assert read_health(sample("npu_smi/health_ok.txt")) == ChipHealth(Health.OK, (), ())
    assert read_health(sample("npu_smi/health_card.txt")) == ChipHealth(Health.OK, (), ())
    found = read_health(sample("npu_smi/health_alarm.txt"))
    assert isinstance(found, ChipHealth)
    assert found.codes == ("A4025021", "8C03A000", "8C084E00")
    assert len(found.information) == 2


def test_the_soc_is_put_together_of_the_board_on_a2_and_a3() -> None:
    for name, soc in (("910B4", "Ascend910B4"), ("910C", "Ascend910_9392")):
        board = read_board(sample(f"npu_smi/board_{name}.txt"))
        assert not isinstance(board, Unread)
        assert board_soc(board) == soc
    card = read_board(sample("npu_smi/board_card.txt"))
    assert not isinstance(card, Unread)
    assert (card["Software Version"], board_soc(card)) == ("23.0.5", None)


def test_product_and_super_pod_are_read() -> None:
    assert read_product(sample("npu_smi/product.txt")) == "Atlas 800T A2"
    assert read_super_pod(sample("npu_smi/super_pod.txt")) == SuperPod("16777216", 384, "0", 4)


@pytest.mark.parametrize("read", [read_board, read_health, read_product, read_super_pod, read_list, read_mapping])
def test_the_answer_to_a_wrong_id_is_reported(read) -> None:  # type: ignore[no-untyped-def]
    found = read(sample("npu_smi/wrong_id.txt"))
    assert isinstance(found, Unread)
    assert "Invalid card id" in found.text


def test_the_topology_of_a3_names_dies_and_no_cpus() -> None:
    found = read_topology(sample("npu_smi/topology_910C.txt"))
    assert found == Topology({12: {12: "X", 13: "SIO"}, 13: {12: "SIO", 13: "X"}}, {})


def test_processes_are_found_by_the_heads_of_their_columns() -> None:
    text = sample("npu_smi/info_910B3_23.0.7.txt")
    lines = [line[:-1] + "| 17         |" if "python3  " in line else line for line in text.splitlines()]
    lines = [line + "Process id in container |" if "Process id" in line else line for line in lines]
    found = read_info("\n".join(lines))
    assert isinstance(found, Info)
    assert found.processes == ((1, 0, NpuProcess(4242, "python3", 1024)),)


def test_the_topology_tells_links_and_near_cpus() -> None:
    found = read_topology(sample("npu_smi/topology_910B.txt"))
    assert isinstance(found, Topology)
    assert (found.links[0][0], found.links[0][7]) == ("X", "HCCS")
    assert found.cpus[1] == tuple(range(24))
    assert isinstance(read_topology(sample("npu_smi/topology_910B.txt").replace("0-23", "?")), Unread)
