"""What a machine says of its NPUs is read, or reported as not understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import PreflightError
from launcher.hosts.machine_files import chip_names, device_ids, hccn_addresses, read_npus

INFO_M_910B = """\
\tNPU ID                         Chip ID                        Chip Logic ID                  Chip Name
\t0                              0                              0                              Ascend 910B3
\t0                              1                              -                              Mcu
\t1                              0                              1                              Ascend 910B3
\t1                              1                              -                              Mcu
"""


def machine(root: Path, ids: tuple[int, ...], answer: str = INFO_M_910B, hccn: str = "") -> tuple[Path, str]:
    """A folder that looks like a machine with these NPUs, and its npu-smi."""
    (root / "dev").mkdir()
    for name in [*(f"davinci{number}" for number in ids), "davinci_manager", "null"]:
        (root / "dev" / name).touch()
    (root / "etc").mkdir()
    (root / "etc/hccn.conf").write_text(hccn)
    (root / "answer").write_text(answer)
    npu_smi = root / "npu-smi"
    npu_smi.write_text(f"#!/bin/sh\nexec cat '{root}/answer'\n")
    npu_smi.chmod(0o755)
    return root, str(npu_smi)


def test_a_machine_without_device_nodes_has_no_npus(tmp_path: Path) -> None:
    assert read_npus(*machine(tmp_path, ())) is None


def test_the_npus_of_a_machine_are_found_with_chip_and_addresses(tmp_path: Path) -> None:
    hccn = "address_0=192.168.1.8\nnetmask_0=255.255.255.0\naddress_10=192.168.3.8\n"
    found = read_npus(*machine(tmp_path, (10, 0), hccn=hccn))
    assert found is not None
    soc, devices = found
    assert soc == "Ascend910B3"
    assert [(device.id, device.ip) for device in devices] == [(0, "192.168.1.8"), (10, "192.168.3.8")]


def test_device_nodes_are_ordered_by_number(tmp_path: Path) -> None:
    root, _ = machine(tmp_path, (10, 9, 1))
    assert device_ids(root) == (1, 9, 10)


@pytest.mark.parametrize(
    "answer", ["", "dcmi module initialize failed. ret is -8005", "NPU ID  Chip Name\n0  Ascend 910B3"]
)
def test_an_answer_that_is_not_understood_is_shown_not_guessed(tmp_path: Path, answer: str) -> None:
    with pytest.raises(PreflightError) as raised:
        read_npus(*machine(tmp_path, (0,), answer=answer))
    assert "-c CLUSTER" in str(raised.value)
    assert answer.splitlines()[:1] == [] or answer.splitlines()[0] in str(raised.value)


def test_a_machine_without_npu_smi_says_what_is_missing(tmp_path: Path) -> None:
    root, _ = machine(tmp_path, (0, 1))
    with pytest.raises(PreflightError, match="davinci0, davinci1"):
        read_npus(root, str(tmp_path / "no-such-npu-smi"))


def test_chip_names_are_spelled_as_cann_spells_them() -> None:
    assert chip_names(INFO_M_910B.replace("\n", "\r\n")) == {"Ascend910B3"}
    assert chip_names("\t0   0   0   Ascend 910A\n\t1   0   1   Ascend 910A\n") == {"Ascend910A"}
    assert chip_names("no table at all") == set()


def test_hccn_conf_is_read_line_by_line() -> None:
    assert hccn_addresses(
        "address_0=10.0.0.1\n# address_1=10.0.0.2\n address_2 = fe80::1 \ngateway_0=10.0.0.254\n"
    ) == {
        0: "10.0.0.1",
        2: "fe80::1",
    }
