"""Rule files of one's own: what is wrong with them, and what they replace."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.diagnose.linting import lint
from launcher.diagnose.loading import OURS, load, rulebook, user_folder
from launcher.diagnose.matching import find_in_text
from launcher.errors import SpecError

_FILE = """\
category: environment
suggestions:
  call_the_desk:
    kind: command
    title: {en: call the desk, zh: 联系机房}
    change: {run: "mail desk"}
    why: {en: they hold the key, zh: 钥匙在他们那里}
causes:
  door_open:
    title: {en: the door is open, zh: 门开着}
    explanation: {en: "Door {door} is open.", zh: "{door} 号门开着。"}
    suggestions: [call_the_desk]
rules:
  door:
    cause: door_open
    any: ['/door (?P<door>\\d+) is open/']
    examples: [door 7 is open]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    user_folder().mkdir(parents=True)
    return user_folder()


def _written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_rules_of_ones_own_are_found_beside_ours(folder: Path) -> None:
    _written(folder, _FILE)
    book = rulebook()
    (finding,) = find_in_text("x\nERROR: door 12 is open", book)
    assert (finding.cause, finding.line, finding.extracted) == ("door_open", 2, {"door": "12"})
    assert book.explanation(finding).zh == "12 号门开着。"
    assert "torch_npu_oom" in book.rules


def test_a_rule_of_the_same_name_replaces_ours(folder: Path) -> None:
    path = _written(folder, _FILE.replace("  door:\n", "  torch_npu_oom:\n"))
    assert load([OURS / "memory.yaml", path]).rules["torch_npu_oom"].cause == "door_open"


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("cause: door_open", "cause: door_opne", "15:12", "door_opne is no cause"),
        ("[call_the_desk]", "[call_the_dsk]", "12:19", "did you mean call_the_desk"),
        (r"/door (?P<door>\d+) is open/", "/the door(/", "16:11", "is no regular expression"),
        (r"/door (?P<door>\d+) is open/", r"/\d+ error/", "16:11", "no everyday word"),
        ("    cause: door_open\n", "    cause: door_open\n    wieght: 3\n", "16:5", "did you mean weight"),
        ("    cause: door_open\n", "    cause: door_open\n    weight: 300\n", "16:13", "0 to 100"),
        ("    cause: door_open\n", "    cause: door_open\n    given: [dor > 3]\n", "16:13", "speaks of dor"),
        ("    cause: door_open\n", "    cause: door_open\n    given: [door]\n", "16:13", "is no comparison"),
        ("category: environment", "category: doors", "1:11", "memory, communication"),
        ("    any: ['", "    none: ['", "15:5", "neither `all` nor `any`"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(folder: Path, old: str, new: str, place: str, said: str) -> None:
    assert old in _FILE
    path = _written(folder, _FILE.replace(old, new, 1))
    with pytest.raises(SpecError) as refused:
        load([path])
    assert f"{path}:{place}" in str(refused.value)
    assert said in str(refused.value)


def test_an_example_in_which_the_rule_does_not_hold_is_told(folder: Path) -> None:
    path = _written(
        folder,
        _FILE.replace("door 7 is open", "window 7 is open", 1).replace("examples: [door 7", "examples: [window 7"),
    )
    assert lint([path]) == [f"{path}:17:16: door does not hold in its example"]


def test_what_was_read_once_is_kept_and_a_changed_file_is_read_again(folder: Path, tmp_path: Path) -> None:
    path = _written(folder, _FILE)
    assert load([path]).causes["door_open"].title.en == "the door is open"
    kept = list((tmp_path / "cache/npu-launch").glob("rules-*.json"))
    assert len(kept) == 1
    assert load([path]).rules["door"].any == load([path]).rules["door"].any
    path.write_text(_FILE.replace("the door is open", "a door is open"), encoding="utf-8")
    assert load([path]).causes["door_open"].title.en == "a door is open"
    kept[0].write_text("no json", encoding="utf-8")
    path.write_text(_FILE, encoding="utf-8")
    assert load([path]).causes["door_open"].title.en == "the door is open"
