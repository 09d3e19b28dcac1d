"""The chips that a simulated host can have, and how their tools lay out what they print."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """How the table of `npu-smi info` is set: inner widths of its columns, and where values stand in the third.

    Sources: samples in public repositories of npu-smi 1.8.21 (20.2.2), 21.0.x, 23.0.7, 24.1.rc3 and 26.0.rc1.
    """

    name: int = 27  # columns between the bars, blanks included
    third: tuple[int, int, int] = (12, 18, 21)  # power | AICore, temperature | DDR, huge pages | HBM
    hugepages: bool = True
    title: int = 25  # width of the tool's own version


@dataclass(frozen=True)
class Chip:
    """One generation. Memory in MB; `soc` as CANN spells it, `name` as the table of npu-smi does."""

    soc: str
    name: str
    hbm: int
    ddr: int = 0
    cards: int = 8
    chips: int = 1  # a card: 2 on A3
    aicores: int = 20
    idle_hbm: int = 3338
    npu_name: str = ""  # A3: `NPU Name` of -t board, the number in Ascend910_9392
    product: str = "Atlas 800T A2"
    buses: tuple[str, ...] = ("C1", "C2", "81", "82", "01", "02", "41", "42")
    driver: str = "23.0.7"
    firmware: str = "7.1.0.11.220"
    firmware_range: str = "[7.0.0,7.2.99]"  # compatible_version_fw of that driver
    cann: str = "7.0.0"
    pci: str = "0xD802"

    @property
    def mapped(self) -> str:
        """The name in `npu-smi info -m`."""
        return self.name if self.name.startswith("Ascend") else f"Ascend {self.name}"

    @property
    def is_first(self) -> bool:
        """Whether it is of the first generation, whose device memory is partly DDR."""
        return self.ddr > 0


_FIRST = {"ddr": 15689, "hbm": 32768, "idle_hbm": 0, "aicores": 30, "product": "Atlas 800 (Model 9000)"}
_FIRST_BUSES = ("C1", "81", "41", "01", "C2", "82", "42", "02")
_A3_BUSES = ("9D", "9F", "99", "9B", "95", "97", "91", "93", "8D", "8F", "89", "8B", "85", "87", "81", "83")

CHIPS = {
    "910A": Chip("Ascend910A", "910A", pci="0xD801", buses=_FIRST_BUSES, driver="21.0.4", firmware="1.80.22.2.220",
                 firmware_range="[1.75.0,1.84.99]", cann="5.0.4", **_FIRST),
    "910ProA": Chip("Ascend910ProA", "910ProA", pci="0xD801", buses=_FIRST_BUSES, driver="22.0.4",
                    firmware="1.84.15.2.220", firmware_range="[1.75.0,1.86.99]", cann="5.1.RC2", **_FIRST),
    "910B1": Chip("Ascend910B1", "910B1", 65536, aicores=24),
    "910B2": Chip("Ascend910B2", "910B2", 65536, aicores=24),
    "910B3": Chip("Ascend910B3", "910B3", 65536),
    "910B4": Chip("Ascend910B4", "910B4", 32768, idle_hbm=2871),
    "910C": Chip("Ascend910_9392", "Ascend910", 65536, chips=2, aicores=25, idle_hbm=3402, npu_name="9392",
                 product="Atlas 800T A3", buses=_A3_BUSES, driver="24.1.rc3", firmware="7.5.0.1.129",
                 firmware_range="[7.3.0,7.7.99]", cann="8.0.RC3",
                 pci="0xD803"),
}  # fmt: skip


def layout(driver: str) -> Layout:
    """What npu-smi of this driver prints: 20.x, 21.x to 23.0.rc1, from 23.0, from 26.0 on."""
    if driver.startswith("20."):
        return Layout(name=22, third=(11, 18, 15), hugepages=False)
    if driver.startswith(("21.", "22.", "23.0.rc1")):
        return Layout(name=22)
    major = driver.split(".")[0]
    if major.isdecimal() and int(major) >= 26:
        return Layout(third=(21, 24, 24), title=36)
    return Layout()
