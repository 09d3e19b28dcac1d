"""What a script says when the framework it trains with is not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from training.errors import RecipeError
from training.framework import require

from launcher.cli.main import main

WITHOUT = """
import runpy, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "mindspore"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[1:]
sys.path[0] = sys.argv[0].rpartition("/")[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("script", "framework", "flags"),
    [
        ("pytorch", "torch", []),
        ("pytorch", "torch", ["--evaluate={trained}"]),
        ("resnext", "mindspore", []),
    ],
)
def test_a_script_without_its_framework_says_which_python_lacks_it(script, framework, flags, recipes, tmp_path):
    (tmp_path / "trained.ckpt").touch()
    flags = [flag.format(trained=tmp_path / "trained.ckpt") for flag in flags]
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, recipes / script / "train.py", *flags],
        cwd=tmp_path,
        env={**os.environ, "DEVICE_TARGET": "CPU"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"train.py: error: No module named '{framework}' for {sys.executable}: ")
    assert "`python:`" in line


def test_what_a_framework_cannot_import_is_no_absence_of_it(tmp_path, monkeypatch):
    (tmp_path / "broken_framework.py").write_text("import something_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_needs"):
        require("broken_framework")
    with pytest.raises(RecipeError, match="No module named 'no_framework'"):
        require("no_framework")
    require("json")


def test_diagnosis_knows_the_line(tmp_path: Path, capsys):
    with pytest.raises(RecipeError) as absent:
        require("torch_of_nobody")
    log = tmp_path / "rank_0.log"
    log.write_text(f"train.py: error: {absent.value}\n")
    main(["diagnose", "--json", str(log)])
    assert '"missing_python_package"' in capsys.readouterr().out
