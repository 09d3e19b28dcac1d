"""What is packed: the packages that npu-launch needs, compiled, looking nowhere but beside them; the same each time."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError
from launcher.hosts.provision import archive
from launcher.hosts.provision.bytecode import compiled
from launcher.hosts.provision.closure import closure, installed_files, own_machine
from launcher.hosts.provision.contents import Entry, own_package, placed
from launcher.hosts.provision.elf import glibc_needed, is_elf, with_run_path
from launcher.hosts.provision.foreign import foreign_packages, foreign_python, target

PACKAGES = closure(own_machine())


def test_the_closure_has_what_is_needed_and_no_extras() -> None:
    assert {"ray", "paramiko", "cryptography", "cffi", "pydantic-core"} <= PACKAGES.needed.keys()
    assert not {"mindspore", "numpy", "pytest", "npu-launch"} & PACKAGES.needed.keys()


def test_programs_come_along_and_scripts_are_made_anew_without_a_path_of_this_machine() -> None:
    programs = {entry.path for entry in placed(installed_files(PACKAGES.needed["py-spy"]), "3.11") if entry.is_program}
    assert "bin/py-spy" in programs
    assert not [entry for entry in placed(installed_files(PACKAGES.needed["idna"]), "3.11") if "bin/" in entry.path]
    ours = {entry.path: entry for entry in own_package(PACKAGES.ours, "3.11")}
    assert ours["bin/npu-launch"].content().startswith(b"#!/bin/sh\n")
    assert sys.prefix.encode() not in ours["bin/npu-launch"].content() + ours["bin/ray"].content()
    assert {"errors.py", "hosts/provision/look.sh", "templates/sbatch.j2"} <= {
        path.removeprefix("lib/python3.11/site-packages/launcher/") for path in ours
    }


def test_a_compiled_module_is_used_whatever_the_time_of_its_source(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("value = 1\n")
    code = compiled(source)
    assert code is not None
    there = Path(importlib.util.cache_from_source(str(source)))
    there.parent.mkdir()
    there.write_bytes(code)
    source.write_text("value = 2\n")
    run = [sys.executable, "-c", "import module; print(module.value)"]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, text=True).stdout == "1\n"
    (tmp_path / "template.py").write_text("{{ no module }}:\n")
    assert compiled(tmp_path / "template.py") is None


def test_an_archive_is_the_same_every_time_and_kept(tmp_path: Path) -> None:
    big = os.urandom(9_000_000)
    entries = [Entry("lib/b", lambda: big), Entry("bin/a", lambda: b"#!/bin/sh\n", is_program=True)]
    first = archive.make(tmp_path / "env-1.tar.gz", entries)
    second = archive.make(tmp_path / "env-2.tar.gz", reversed(entries))
    assert first.path.read_bytes() == second.path.read_bytes()
    kept = archive.kept(first.path)
    assert kept is not None and kept.demands == first.demands
    assert b"".join(kept.pieces(1_000_000, 1 << 20)) == first.path.read_bytes()[1_000_000:]
    with tarfile.open(first.path) as tar:
        assert [(one.name, one.mode, one.uid, one.mtime) for one in tar] == [
            ("bin/a", 0o700, 0, 0),
            ("lib/b", 0o600, 0, 0),
        ]
        assert tar.extractfile("lib/b").read() == big  # type: ignore[union-attr]
    subprocess.run(["gzip", "-t", first.path], check=True)


def test_an_archive_that_was_cut_off_is_made_again_and_old_ones_go(tmp_path: Path) -> None:
    for number in range(5):
        made = archive.make(tmp_path / f"env-{number}.tar.gz", [Entry("a", lambda: b"a")])
        os.utime(made.path, (number, number))
    archive.make(tmp_path / "env-5.tar.gz", [Entry("a", lambda: b"a")])
    assert sorted(path.name for path in tmp_path.glob("*.gz")) == [f"env-{number}.tar.gz" for number in (2, 3, 4, 5)]
    (tmp_path / "env-5.tar.gz").write_bytes(b"half")
    assert archive.kept(tmp_path / "env-5.tar.gz") is None
    assert archive.kept(tmp_path / "env-0.tar.gz") is None


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program with a library of its own, and where to look for it."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "one.c").write_text("int one(void) { return 7; }\n")
    (tmp_path / "main.c").write_text("int one(void); int main(void) { return one(); }\n")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", "lib/libone.so", "one.c"], cwd=tmp_path, check=True)
        linked = ["-Llib", "-lone", f"-Wl,-rpath,{tmp_path}/lib"]
        subprocess.run(["cc", "-o", "main", "main.c", *linked], cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.skip("there is no C compiler")
    return tmp_path / "main"


def test_a_program_finds_its_libraries_beside_it_wherever_it_is_taken(program: Path) -> None:
    content = program.read_bytes()
    moved = program.parent / "moved"
    (moved / "bin").mkdir(parents=True)
    changed = with_run_path(content, "$ORIGIN/../lib")
    assert changed is not None and len(changed) == len(content)
    (moved / "bin/main").write_bytes(changed)
    (moved / "bin/main").chmod(0o755)
    (program.parent / "lib").rename(moved / "lib")
    assert subprocess.run([program], capture_output=True).returncode == 127
    assert subprocess.run([moved / "bin/main"]).returncode == 7


def test_a_program_with_no_room_for_it_is_left_alone(program: Path) -> None:
    assert with_run_path(program.read_bytes(), "/" + "x" * 500) is None
    assert with_run_path((program.parent / "lib/libone.so").read_bytes(), "$ORIGIN") is None


def test_what_a_program_wants_of_glibc_is_read(program: Path) -> None:
    assert is_elf(program.read_bytes()) and not is_elf(b"#!/bin/sh\n")
    assert glibc_needed(program.read_bytes()) >= (2, 2)
    assert glibc_needed(b"\0GLIBC_2.4\0GLIBC_2.17\0GLIBC_2.3.4\0") == (2, 17)


def test_wheels_for_another_machine_come_from_a_folder_when_there_is_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("NPU_LAUNCH_WHEELS", str(tmp_path / "wheels"))
    with pytest.raises(InfrastructureError) as raised:
        list(foreign_packages(PACKAGES, target("riscv64", (2, 34), "3.11"), tmp_path / "to"))
    assert raised.value.where == str(tmp_path / "wheels")
    assert "no packages for a host of the type riscv64 with glibc 2.28 (" in raised.value.what
    for way in ("python: in the cluster spec", "NPU_LAUNCH_WHEELS", "a machine of the type riscv64"):
        assert way in raised.value.remedy


def test_an_interpreter_for_another_machine_is_uvs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "uv"
    uv.write_text(
        '#!/bin/sh\n[ "$1 $2" = "python install" ] || exit 1\n'
        'at=$4/cpython-3.11.9-linux-aarch64-gnu\nmkdir -p "$at/bin" "$at/lib/python3.11/test"\n'
        'cd "$at" && touch bin/python3.11 bin/pip lib/libpython3.11.so.1.0\n'
        "touch lib/python3.11/os.py lib/python3.11/test/x.py\n"
    )
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    files = foreign_python(target("aarch64", (2, 17), "3.11"), tmp_path / "to")
    assert {entry.path for entry in files if not entry.path.endswith(".pyc")} == {
        "python/bin/python3.11",
        "python/lib/libpython3.11.so.1.0",
        "python/lib/python3.11/os.py",
    }
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(InfrastructureError, match=r"no Python 3\.11, and there is none here for the type aarch64"):
        list(foreign_python(target("aarch64", (2, 17), "3.11"), tmp_path / "to"))
