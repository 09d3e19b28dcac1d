"""What a recipe may say, and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.errors import SpecError
from launcher.specs import RankTableFormat, Recipe, dump_yaml, load_recipe, recipe_from_mapping
from launcher.specs.placeholders import fill

MINIMAL: dict[str, Any] = {"name": "job", "framework": "plain", "ranks": 2, "script": "train.py"}


def recipe(**more: Any) -> Recipe:
    return recipe_from_mapping(MINIMAL | more)


def refusal(**more: Any) -> str:
    with pytest.raises(SpecError) as caught:
        recipe(**more)
    return str(caught.value)


def test_a_recipe_is_a_value() -> None:
    assert recipe(args={"a": [1, 2]}) == recipe(args={"a": (1, 2)})
    assert hash(recipe(env={"A": "1"})) == hash(recipe(env={"A": "1"}))
    assert recipe(ranks=3) != recipe()


def test_where_a_recipe_was_read_is_no_part_of_what_it_says(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "r.yaml").write_text(dump_yaml(recipe()))
    first, second = (load_recipe(tmp_path / folder / "r.yaml") for folder in ("a", "b"))
    assert first == second
    assert first.directory != second.directory


@pytest.mark.parametrize("name", ["a'; touch x #", "$(reboot)", "训练", "a\u200db", "../..", "-rf"])
def test_a_name_is_free_text(name: str) -> None:
    assert recipe(name=name).name == name


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "a\x1b[2J", "a\u2028b", "\ud800"])
def test_a_name_is_one_line_that_drives_no_terminal(name: str) -> None:
    assert "text of 1 to 200 characters, one line" in refusal(name=name)


@pytest.mark.parametrize("key", ["--lr", "", "a b", "a=b", "a\nb"])
def test_an_argument_name_is_an_option_without_dashes(key: str) -> None:
    assert "an option name such as batch_size" in refusal(args={key: 1})


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [True], [None], float("nan"), "a\0b"])
def test_an_argument_is_a_value_that_an_option_can_have(value: Any) -> None:
    assert "args.x" in refusal(args={"x": value})


def test_environment_values_are_taken_as_written(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(dump_yaml(recipe()).replace("env: {}", "env: {A: 1.10, B: true, C: 0x10, D: '', E: off}"))
    assert dict(load_recipe(file).env) == {"A": "1.10", "B": "true", "C": "0x10", "D": "", "E": "off"}


def test_an_argument_list_is_taken_as_written(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(dump_yaml(recipe()).replace("args: {}", "args: [--lr, 1e-3, 1.10, true]"))
    assert load_recipe(file).args == ("--lr", "1e-3", "1.10", "true")


def test_an_environment_variable_without_value_is_refused() -> None:
    assert "give a value, or remove the key" in refusal(env={"A": None})


@pytest.mark.parametrize("name", ["1A", "A-B", "A=B", "", "Ä"])
def test_an_environment_name_is_one_that_a_shell_can_set(name: str) -> None:
    assert "letters, digits and underscores" in refusal(env={name: "1"})


def test_checkpoint_dir_needs_a_checkpoint_section() -> None:
    message = refusal(args={"out": "{checkpoint_dir}/x"})
    assert "args.out uses {checkpoint_dir}, but the recipe has no checkpoint section" in message


@pytest.mark.parametrize("word", ["attempt_dir", "rank_dir", "checkpoint_dir"])
def test_checkpoints_stay_where_a_restart_finds_them(word: str) -> None:
    assert f"checkpoint.dir uses {{{word}}}" in refusal(checkpoint={"dir": f"{{{word}}}/x", "resume_arg": "resume"})


def test_a_knob_names_a_value_of_the_recipe() -> None:
    assert recipe(args={"a.b": 1}, knobs={"x": "args.a.b", "y": "restart.max_restarts"}).knobs["x"] == "args.a.b"
    message = refusal(args={"batch_size": 1}, knobs={"micro_batch": "args.batchsize"})
    assert "knobs.micro_batch names args.batchsize, but there is no batchsize; did you mean batch_size?" in message


def test_paths_start_from_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(dump_yaml(recipe(script="a/train.py", cluster="../c.yaml", python="bin/python")))
    read = load_recipe(file)
    assert read.script_path == tmp_path / "a/train.py"
    assert read.cluster_path == tmp_path / "../c.yaml"
    assert read.python_command == str(tmp_path / "bin/python")


def test_a_resolved_recipe_means_the_same_from_another_folder(tmp_path: Path) -> None:
    file, copy = tmp_path / "r.yaml", tmp_path / "run" / "recipe.yaml"
    copy.parent.mkdir()
    file.write_text(dump_yaml(recipe(cluster="c.yaml", python="python3.11")))
    copy.write_text(dump_yaml(load_recipe(file).resolved()))
    original, read = load_recipe(file), load_recipe(copy)
    assert read == original.resolved()
    assert (read.script_path, read.cluster_path) == (original.script_path, original.cluster_path)
    assert (read.directory, read.python_command) == (original.directory, "python3.11")


def test_json_keeps_its_braces() -> None:
    assert fill('{"rank": {rank}, "x": {y}, "{{run}}": 1}', {"rank": "3", "run": "{rank}"}) == (
        '{"rank": 3, "x": {y}, "{{rank}}": 1}'
    )


SIZES = {
    "26 GB": 26 * 1024**3,
    "26GiB": 26 * 1024**3,
    "1.5 gb": 3 * 512 * 1024**2,
    "512 MB": 512 * 1024**2,
    "64g": 64 * 1024**3,
    "4096": 4096,
    "10 B": 10,
    4096: 4096,
}


@pytest.mark.parametrize(("written", "size"), SIZES.items(), ids=map(str, SIZES))
def test_a_size_counts_as_npu_smi_counts(written: str | int, size: int) -> None:
    assert recipe(memory=written).memory == size


@pytest.mark.parametrize("size", ["26 XB", "", "GB", "-1 GB", "1e9", "0", 0, -1, 1.5, "1,5 GB", "9" * 20, True, "٣ GB"])
def test_anything_else_is_no_size(size: Any) -> None:
    assert "a size such as 26 GB, or a mapping of parts to sizes" in refusal(memory=size)


def test_memory_may_be_said_part_by_part(tmp_path: Path) -> None:
    parts = {"fc6 25x25x512x4096": "14.5 GB", "'; all else": 4096}
    said = recipe(memory=parts)
    assert said.memory == {"fc6 25x25x512x4096": 29 * 512 * 1024**2, "'; all else": 4096}
    assert hash(said) == hash(recipe(memory=parts))
    file = tmp_path / "r.yaml"
    file.write_text(dump_yaml(said))
    changed = load_recipe(file, ["memory.fc6 25x25x512x4096=1 GB"]).memory
    assert changed == {"fc6 25x25x512x4096": 1024**3, "'; all else": 4096}
    assert load_recipe(file, ["memory=1 GB"]).memory == 1024**3


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({}, "memory is a mapping, which names no part"),
        ({"": "1 GB"}, "text of 1 to 80 characters, one line"),
        ({"a\nb": "1 GB"}, "holds a control character or a line break"),
        ({"fc6": "much"}, "memory.fc6 is 'much', which is no size"),
        ({"fc6": 0}, "memory.fc6 is 0"),
        ({"fc6": None}, "give a value, or remove the key"),
        (["1 GB"], "memory is a list"),
    ],
)
def test_what_is_wrong_with_a_part_is_said_with_its_name(parts: Any, told: str) -> None:
    assert told in refusal(memory=parts)


def test_the_version_of_the_rank_table_needs_no_quotes(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    for written in ("1.0", "'1.0'"):
        file.write_text(dump_yaml(recipe()).replace("rank_table: auto", f"rank_table: {written}"))
        assert load_recipe(file).rank_table is RankTableFormat.V1_0
    assert load_recipe(file, ["rank_table=2.0"]).rank_table is RankTableFormat.V2_0
    assert "auto, 1.0, 1.2, 2.0 or legacy" in refusal(rank_table="1.1")


def test_a_recipe_knows_where_its_values_were_written(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("name: j\nframework: plain\nranks: 1\nscript: t.py\nenv: {A: 1, B: 2}\n")
    read = load_recipe(file, ["ranks=2"], ["B=3"])
    assert read.place("env", "A") == f"{file}:5:10"
    assert (read.place("env", "B"), read.place("ranks")) == ("--env B=3", "--set ranks=2")
    assert read.place("env", "C") == str(file)
    assert recipe().place("env", "A") == ""


def test_data_lies_beside_the_recipe_unless_its_path_is_absolute(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(dump_yaml(recipe(data=["voc", "/data"])))
    read = load_recipe(file)
    assert read.data_paths == (tmp_path / "voc", Path("/data"))
    assert read.resolved().data == (str(tmp_path / "voc"), "/data")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TRICKY = st.sampled_from(
    ["on", "y", "null", "~", "1", "0x1", "1e3", "1_0", "2024-01-01", ".inf", "- a", "a: b", "#", "'"]
)
WORDS = TEXT | TRICKY
KEYS = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True) | st.sampled_from(["on", "null", "1", "mapping", "list"])
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ARGUMENTS = st.one_of(WORDS, NUMBERS, st.booleans(), st.none(), st.lists(WORDS | NUMBERS, max_size=3))
SAFE = WORDS.filter(lambda text: "{" not in text)
RECIPES = st.fixed_dictionaries(
    {
        "name": st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40),
        "framework": st.sampled_from(["mindspore", "pytorch", "tensorflow", "plain"]),
        "ranks": st.integers(1, 1_000_000),
        "script": SAFE.filter(bool),
    },
    optional={
        "cluster": SAFE.filter(bool),
        "args": st.dictionaries(KEYS, ARGUMENTS, max_size=5) | st.lists(WORDS, max_size=5),
        "env": st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True), WORDS, max_size=4),
        "checkpoint": st.fixed_dictionaries(
            {"dir": SAFE.filter(bool), "resume_arg": KEYS, "pattern": SAFE.filter(bool)}
        ),
        "restart": st.fixed_dictionaries(
            {"policy": st.just("group"), "max_restarts": st.integers(0, 99)},
            optional={
                "budgets": st.dictionaries(
                    st.sampled_from(["infrastructure", "device", "memory", "user"]), st.none() | st.integers(0, 9)
                ),
                "backoff": st.floats(0, 3600),
                "without_progress": st.integers(0, 9),
            },
        ),
        "lease": st.floats(1, 86400),
        "hang": st.fixed_dictionaries(
            {"policy": st.sampled_from(["auto", "stop", "report", "off"])},
            optional={"seconds": st.floats(1, 86400), "first_step": st.floats(1, 86400)},
        ),
        "prewarm": st.sampled_from(["auto", "on", "off"]),
        "gang": st.booleans(),
        "rendezvous": st.sampled_from(["auto", "dynamic_cluster", "rank_table", "cm"]),
        "rank_table": st.sampled_from(["auto", "1.0", 1.2, 2.0, "legacy"]),
        "binding": st.sampled_from(["auto", "off"]),
        "data": st.lists(WORDS.filter(bool), max_size=2),
        "memory": st.sampled_from(["26 GB", "1.5gib", 4096, None])
        | st.dictionaries(KEYS, st.sampled_from(["1.5gib", 4096]), min_size=1, max_size=2),
        "preflight": st.sampled_from(["fast", "full", "off"]),
        "grace": st.floats(0, 86400),
        "scheduler_port": st.none() | st.integers(1024, 65535),
        "knobs": st.dictionaries(SAFE.filter(bool), st.sampled_from(["ranks", "args", "restart.policy"]), max_size=2),
    },
).filter(lambda values: values.get("gang", True) or values.get("hang", {}).get("policy") != "stop")


@given(RECIPES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_dumped_recipe_reads_back_as_the_same_recipe(tmp_path: Path, values: dict[str, Any]) -> None:
    original = recipe_from_mapping(values)
    file = tmp_path / "r.yaml"
    file.write_text(dump_yaml(original), encoding="utf-8", newline="")
    assert load_recipe(file) == original
    assert dump_yaml(load_recipe(file)) == dump_yaml(original)


def test_restarts_without_a_policy_that_restarts_are_refused() -> None:
    with pytest.raises(SpecError, match="say policy: group"):
        recipe(restart={"max_restarts": 3})


def test_ranks_are_restarted_singly_only_when_they_are_independent() -> None:
    ranks = {"policy": "ranks", "max_restarts": 1}
    assert recipe(restart=ranks, gang=False).restart.policy.value == "ranks"
    assert "the ranks form a gang: say gang: false, or policy: group" in refusal(restart=ranks)


def test_only_a_gang_can_be_stopped_for_a_standstill() -> None:
    assert recipe(hang={"policy": "stop"}).hang.seconds == 60
    assert "the ranks form no gang that could be stopped: say report" in refusal(hang={"policy": "stop"}, gang=False)
    assert recipe(hang={"policy": "report"}, gang=False).hang.policy.value == "report"


def test_only_a_gang_can_be_elastic() -> None:
    elastic = {"policy": "elastic", "max_restarts": 1}
    assert recipe(restart=elastic).restart.policy.value == "elastic"
    assert "the ranks form no gang: say policy: ranks" in refusal(restart=elastic, gang=False)


def test_a_budget_that_is_not_given_is_no_limit() -> None:
    budgets = recipe(restart={"policy": "group", "max_restarts": 5, "budgets": {"device": 2}}).restart.budgets
    assert [budgets.of(cause) for cause in ("infrastructure", "device", "memory", "user")] == [None, 2, None, None]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"restart": {"policy": "sometimes"}}, "never, ranks, group or elastic"),
        ({"restart": {"policy": "group", "budgets": {"gpu": 1}}}, "unknown key gpu in restart.budgets"),
        ({"restart": {"policy": "group", "budgets": {"user": -1}}}, "a whole number from 0 up"),
        ({"restart": {"policy": "group", "backoff": -0.1}}, "seconds from 0 up"),
        ({"restart": {"policy": "group", "without_progress": -1}}, "a whole number from 0 up"),
        ({"lease": 0.5}, "seconds from 1 up"),
        ({"hang": {"policy": "panic"}}, "auto, stop, report or off"),
        ({"hang": {"seconds": 0}}, "seconds from 1 up"),
        ({"prewarm": "maybe"}, "auto, on or off"),
    ],
)
def test_what_a_recovery_setting_may_be_is_said_when_it_is_refused(section: dict[str, Any], expected: str) -> None:
    assert expected in refusal(**section)


def test_recovery_has_defaults_that_a_run_can_live_with() -> None:
    plain = recipe()
    assert (plain.lease, plain.restart.backoff, plain.restart.without_progress) == (60.0, 1.0, 2)
    assert (plain.hang.policy.value, plain.hang.seconds, plain.hang.first_step) == ("auto", 60.0, 1800.0)
    assert plain.prewarm.value == "auto"
