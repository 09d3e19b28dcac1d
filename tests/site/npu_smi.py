"""What `npu-smi` of a simulated host prints, by command line.

Layouts are those of samples in public repositories: Ascend/mind-cluster (faultdiag: 03_collecting_logs.md,
npu_info_before.txt), vllm-ascend, ms-swift and triton-ascend documentation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.site.chips import CHIPS, Chip, Layout, layout
from tests.site.state import DeviceState, HostState

WRONG = """\
Invalid card id.
Error parameter of -i
Usage: npu-smi info <watch|proc|-h|-m|-l|-t type> [Options...]
"""

_LEGEND = """
Legend:

  X    = Self
  SYS  = Path traversing PCIe and NUMA nodes. Nodes are connected through SMP, such as QPI, UPI.
  PHB  = Path traversing PCIe and the PCIe host bridge of a CPU.
  PIX  = Path traversing a single PCIe switch
  PXB  = Path traversing multiple PCIe switches
  HCCS = Connection traversing HCCS.
  SIO  = Path traversing the SIO bus
  HCCS_SW = Connection traversing HCCS through a switch
  NA   = Unknown relationship.
"""


def answers(state: HostState) -> dict[str, str]:
    """Command line (`npu-smi info -t usages -i 0`; with the options in the order -t -i -c) to output."""
    chip = CHIPS[state.chip]
    cards: dict[int, list[DeviceState]] = defaultdict(list)
    for device in state.devices:
        if device.listed:
            cards[device.card].append(device)
    found = {
        "npu-smi info": _table(state, chip, cards),
        "npu-smi info -l": _list(chip, cards),
        "npu-smi info -m": _mapping(chip, cards),
        "npu-smi info -t topo": _topology(chip, [device for dies in cards.values() for device in dies]),
    }
    for card, dies in cards.items():
        for kind, one in (("usages", _usages), ("memory", _memory), ("common", _common), ("health", _card_health)):
            found[f"npu-smi info -t {kind} -i {card}"] = _lines(
                [("NPU ID", card), ("Chip Count", chip.chips), (), *(row for die in dies for row in one(chip, die))]
            )
        found[f"npu-smi info -t board -i {card}"] = _lines(_board(state, chip, dies[0]))
        found[f"npu-smi info -t product -i {card}"] = _lines([("Product Type", chip.product)])
        for die in dies:
            which = f"-i {card} -c {die.chip}"
            found[f"npu-smi info -t health {which}"] = _lines(_health(die))
            found[f"npu-smi info -t board {which}"] = _lines(_chip_board(chip, die))
            if chip.chips == 2 and die.sdid is not None:
                found[f"npu-smi info -t spod-info {which}"] = _lines(_super_pod(state, die))
    return found


def _lines(rows: Iterable[tuple[object, ...]]) -> str:
    return "".join(f"\t{row[0]!s:<30} : {row[1]}\n" if row else "\n" for row in rows)


def _table(state: HostState, chip: Chip, cards: dict[int, list[DeviceState]]) -> str:
    look = layout(state.driver)
    inner = look.name + 15 + 1 + sum(look.third) + 2
    rule, double = _rules(look)
    tool = "1.8.21" if state.driver.startswith("20.") else state.driver
    title = f" npu-smi {tool:<{look.title}}Version: {state.driver}"
    heads = ("Power(W)", "Temp(C)", "Hugepages-Usage(page)" if look.hugepages else "")
    lower = "Chip  Phy-ID" if chip.chips == 2 else "Chip"
    lines = [
        f"+{'-' * inner}+",
        f"|{title:<{inner}}|",
        rule,
        _row(look, "NPU   Name", "Health", heads),
        _row(look, lower, "Bus-Id", ("AICore(%)", "Memory-Usage(MB)", "HBM-Usage(MB)")),
        double,
    ]
    for card, dies in cards.items():
        for position, die in enumerate(dies):
            pages = f"{15 if chip.is_first else 0:<5}/ {15 if chip.is_first else 0}" if look.hugepages else ""
            power = f"{die.power:.1f}" if position == 0 else "-"
            first = f"{die.chip:<6}{die.id}" if chip.chips == 2 else str(die.chip)
            memory = (f"{die.ddr_used:<5}/ {chip.ddr}", f"{die.hbm_used:<5}/ {chip.hbm}")
            if position:
                lines.append(f"+{'-' * inner}+")
            lines.append(_row(look, f"{card:<6}{chip.name}", die.health, (power, str(die.temperature), pages)))
            lines.append(_row(look, first, die.bus_id, (str(die.aicore), *memory)))
        lines.append(double)
    return "\n".join(lines) + "\n" + ("".join(_processes(look, cards)) if look.hugepages else "")


def _rules(look: Layout) -> tuple[str, str]:
    """What stands between rows, of chips and of processes."""
    rule, double = (f"+{c * look.name}+{c * 15}+{c * (1 + sum(look.third))}+" for c in "-=")
    return rule, double


def _row(look: Layout, first: str, second: str, third: tuple[str, str, str]) -> str:
    values = "".join(f"{value:<{width}}" for value, width in zip(third, look.third, strict=True))
    return f"| {first:<{look.name - 1}}| {second:<14}| {values}|"


def _processes(look: Layout, cards: dict[int, list[DeviceState]]) -> Iterator[str]:
    rest = sum(look.third)
    widths = (look.name, 15, rest - rest // 2, rest // 2)
    rule, double = (f"{line}\n" for line in _rules(look))
    inner = sum(widths) + 3

    def row(*cells: object) -> str:
        return "|" + "|".join(f" {cell!s:<{width - 1}}" for cell, width in zip(cells, widths, strict=True)) + "|\n"

    yield rule + row("NPU     Chip", "Process id", "Process name", "Process memory(MB)") + double
    for card, dies in cards.items():
        shown = [(die, process) for die in dies for process in die.processes if process.in_table]
        for die, process in shown:
            yield row(f"{card:<8}{die.chip}", process.pid, process.name, process.memory)
        if not shown:
            yield f"| {f'No running processes found in NPU {card}':<{inner - 1}}|\n"
        yield double


def _list(chip: Chip, cards: dict[int, list[DeviceState]]) -> str:
    text = _lines([("Total Count", len(cards))])
    for card in cards:
        rows: list[tuple[object, ...]] = [(), ("NPU ID", card)]
        if chip.chips == 1:
            rows += [("Product Name", "IT21PDDA01"), ("Serial Number", f"033VNY10MB{card:06d}")]
        text += _lines([*rows, ("Chip Count", chip.chips)])
    return text


def _mapping(chip: Chip, cards: dict[int, list[DeviceState]]) -> str:
    heads = ["NPU ID", "Chip ID", "Chip Logic ID", *(["Chip Phy-ID"] if chip.chips == 2 else []), "Chip Name"]
    rows: list[list[object]] = [list(heads)]
    logical = 0
    for card, dies in cards.items():
        for die in dies:
            rows.append([card, die.chip, logical, *([die.id] if chip.chips == 2 else []), chip.mapped])
            logical += 1
        rows.append([card, chip.chips, "-", *(["-"] if chip.chips == 2 else []), "Mcu"])
    return "".join("\t" + "".join(f"{cell!s:<31}" for cell in row[:-1]) + f"{row[-1]!s:<30}\n" for row in rows)


def _topology(chip: Chip, devices: list[DeviceState]) -> str:
    def link(one: DeviceState, other: DeviceState) -> str:
        if one.id == other.id:
            return "X"
        if chip.chips == 2:
            return "SIO" if one.card == other.card else "HCCS_SW"
        return "SYS" if chip.is_first and one.id // 4 != other.id // 4 else "HCCS"  # 910A: two rings of four

    is_a3 = chip.chips == 2  # names dies, and no CPUs
    names = [f"{'Phy-ID' if is_a3 else 'NPU'}{device.id}" for device in devices]
    text = ("           " if is_a3 else "\t   ") + "".join(f"{name:<11}" for name in names)
    text += "\n" if is_a3 else "CPU Affinity\n"
    for name, one in zip(names, devices, strict=True):
        text += f"{name:<11}" + "".join(f"{link(one, other):<11}" for other in devices)
        text += "\n" if is_a3 else f"{one.cpus}\n"
    return text + _LEGEND


def _usages(chip: Chip, die: DeviceState) -> list[tuple[object, ...]]:
    return [
        ("DDR Capacity(MB)", chip.ddr),
        ("DDR Usage Rate(%)", _percent(die.ddr_used, chip.ddr)),
        ("DDR Hugepages Total(page)", 15 if chip.is_first else 0),
        ("DDR Hugepages Usage Rate(%)", 100 if chip.is_first else 0),
        ("HBM Capacity(MB)", chip.hbm),
        ("HBM Usage Rate(%)", _percent(die.hbm_used, chip.hbm)),
        ("Aicore Usage Rate(%)", die.aicore),
        ("Aicpu Usage Rate(%)", 0),
        ("Ctrlcpu Usage Rate(%)", 1),
        ("DDR Bandwidth Usage Rate(%)", 0),
        ("HBM Bandwidth Usage Rate(%)", 0),
        ("Chip ID", die.chip),
        (),
    ]


def _memory(chip: Chip, die: DeviceState) -> list[tuple[object, ...]]:
    return [
        ("DDR Capacity(MB)", chip.ddr),
        ("DDR Clock Speed(MHz)", 2400 if chip.is_first else 0),
        ("HBM Capacity(MB)", chip.hbm),
        ("HBM Clock Speed(MHz)", 1000 if chip.is_first else 1600),
        ("HBM Temperature(C)", die.temperature),
        *([] if chip.is_first else [("HBM Manufacturer ID", "0x56")]),
        ("Chip ID", die.chip),
        (),
    ]


def _common(chip: Chip, die: DeviceState) -> list[tuple[object, ...]]:
    return [
        ("Chip ID", die.chip),
        ("Memory Usage Rate(%)", _percent(die.ddr_used, chip.ddr)),
        ("HBM Usage Rate(%)", _percent(die.hbm_used, chip.hbm)),
        ("Aicore Usage Rate(%)", die.aicore),
        ("Aicore Freq(MHZ)", 900 if chip.is_first else 1800),
        ("Aicore curFreq(MHZ)", 900 if chip.is_first else 800),
        ("Aicore Count", chip.aicores),
        ("Temperature(C)", die.temperature),
        ("NPU Real-time Power(W)", f"{die.power:.1f}"),
        (),
    ]


def _card_health(chip: Chip, die: DeviceState) -> list[tuple[object, ...]]:
    return [("Chip ID", die.chip), ("Health", die.health), ()]


def _health(die: DeviceState) -> list[tuple[object, ...]]:
    first, *more = die.error_information or ("NA",)
    return [
        ("Health Status", die.health),
        ("Error Code", " ".join(die.error_codes) or "NA"),
        ("Error Information", first),
        *(("", line) for line in more),
    ]


def _board(state: HostState, chip: Chip, die: DeviceState) -> list[tuple[object, ...]]:
    return [
        ("NPU ID", die.card),
        ("Software Version", state.driver),
        ("Firmware Version", state.firmware),
        ("Compatibility", "OK"),
        ("Board ID", "0x02"),
        ("PCB ID", "A"),
        ("BOM ID", "1"),
        ("PCIe Bus Info", die.bus_id),
        ("Slot ID", 0),
        ("Class ID", "NA"),
        ("PCI Vendor ID", "0x19e5"),
        ("PCI Device ID", chip.pci),
        ("Subsystem Vendor ID", "0x0200"),
        ("Subsystem Device ID", "0x0100"),
        ("Chip Count", chip.chips),
    ]


def _chip_board(chip: Chip, die: DeviceState) -> list[tuple[object, ...]]:
    if chip.npu_name:
        return [("NPU ID", die.card), ("NPU Name", chip.npu_name), ("Chip ID", die.chip), ("Chip Name", chip.name)]
    return [
        ("NPU ID", die.card),
        ("Chip ID", die.chip),
        ("Chip Type", "Ascend"),
        ("Chip Name", chip.name),
        ("Chip Version", "V1"),
        ("Board ID", "0x02"),
        ("VDie ID", "52669844 20E04105 2300AC00 0A000000 18103300"),
        ("NDie ID", "0A8B8504 20604E01 4A0A0D00 0A000000 18103300"),
        ("Chip Position ID", die.chip),
        ("PCIe Bus Info", die.bus_id),
    ]


def _super_pod(state: HostState, die: DeviceState) -> list[tuple[object, ...]]:
    return [
        ("SDID", die.sdid),
        ("Super Pod Size", 384),
        ("Super Pod ID", state.super_pod or 0),
        ("Server Index", state.server_index),
    ]


def _percent(used: int, total: int) -> int:
    return used * 100 // total if total else 0
