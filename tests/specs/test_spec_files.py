"""A spec file is read, or refused with its place, what was expected, and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launcher.errors import SpecError
from launcher.specs import load_cluster, load_recipe

RECIPE = "name: job\nframework: plain\nranks: 8\nscript: train.py\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "job.yaml"


def refusal(path: Path, *sets: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_recipe(path, sets)
    return caught.value


def refusal_of(file: Path, text: str) -> SpecError:
    file.write_text(text)
    return refusal(file)


def test_yaml_is_read_as_version_1_2(file: Path) -> None:
    file.write_text(
        RECIPE + "args: {mode: off, lr: 1e-3, eight: 010, octal: 0o10, day: 2024-05-01, no: no, n: 1_000}\n"
    )
    assert dict(load_recipe(file).args) == {
        "mode": "off",
        "lr": 0.001,
        "eight": 10,
        "octal": 8,
        "day": "2024-05-01",
        "no": "no",
        "n": "1_000",
    }


def test_a_missing_file_is_answered_with_the_one_that_was_meant(file: Path) -> None:
    file.write_text(RECIPE)
    error = refusal(file.with_name("jb.yaml"))
    assert error.what == "no such file"
    assert error.where == str(file.with_name("jb.yaml"))
    assert error.remedy == f"did you mean {file}?"


def test_a_directory_is_answered_with_the_files_in_it(file: Path) -> None:
    file.write_text(RECIPE)
    error = refusal(file.parent)
    assert (error.what, error.remedy) == ("is a directory", "name a file in it: job.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_refused(file: Path) -> None:
    file.write_text(RECIPE)
    file.chmod(0)
    assert refusal(file).what == "may not be read"


def test_a_byte_that_is_not_utf_8_has_its_place(file: Path) -> None:
    file.write_bytes(b"name: job\nscript: \xb5.py\n")
    error = refusal(file)
    assert error.where == f"{file}:2:9"
    assert "0xb5" in error.what
    assert "iconv" in error.remedy


def test_a_control_character_has_its_place(file: Path) -> None:
    error = refusal_of(file, "name: job\nscript: a\x07.py\n")
    assert error.where == f"{file}:2:10"
    assert "\\x07" in error.what


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n"])
def test_an_empty_file_is_said_to_be_empty(file: Path, text: str) -> None:
    assert refusal_of(file, text).what == "is empty"


@pytest.mark.parametrize("text", ["- a\n- b\n", "eight\n", "42\n"])
def test_a_file_that_is_no_mapping_is_refused(file: Path, text: str) -> None:
    error = refusal_of(file, text)
    assert error.what == "is not a mapping"
    assert error.expected


def test_a_large_file_is_not_read_to_its_end() -> None:
    assert refusal(Path("/dev/zero")).what == "is larger than 10 MB"


MALFORMED = {
    "tab": ("name: job\n\tranks: 8\n", "2:1", "indent with spaces"),
    "open list": ("name: job\nargs: [1, 2\n", "3:1", "special characters in quotes"),
    "colon in a text": ("name: job: two\n", "1:10", "put a text that holds `: ` in quotes"),
    "repeated key": ("name: job\nranks: 1\nranks: 2\n", "3:1", "remove one"),
    "repeated key below": ("args:\n  a: 1\n  a: 2\n", "3:3", "remove one"),
    "anchor": ("name: &a job\nscript: *a\n", "1:7", "write the value out"),
    "alias bomb": ("a: &a [x]\nb: &b [*a, *a]\n", "1:4", "write the value out"),
    "tag": ("name: !!python/object:os.system job\n", "1:7", "remove it"),
    "merge key": ("args: {<<: {a: 1}}\n", "1:8", "write the keys out"),
    "two documents": (RECIPE + "---\nname: two\n", "5:1", "remove the `---` line"),
    "list as key": ("[a]: 1\n", "1:1", "write `key: value`"),
    "deep": ("a: " + "[" * 60 + "]" * 60, "1:54", ""),
    "digits": (f"ranks: {'9' * 5000}\n", "1:8", "put it in quotes"),
}


@pytest.mark.parametrize(("text", "place", "remedy"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_yaml_has_its_place_and_a_remedy(file: Path, text: str, place: str, remedy: str) -> None:
    error = refusal_of(file, text)
    assert error.where == f"{file}:{place}"
    assert remedy in error.remedy


def test_a_second_key_names_the_line_of_the_first(file: Path) -> None:
    assert (
        refusal_of(file, "name: a\nranks: 1\nname: b\n").what == "name is given a second time, the first is on line 1"
    )


def test_an_unknown_key_names_the_nearest_known_one(file: Path) -> None:
    error = refusal_of(file, RECIPE + "restart: {policy: group, max_restart: 2}\n")
    assert error.where == f"{file}:5:26"
    assert error.what == "unknown key max_restart in restart"
    assert error.remedy == "did you mean max_restarts?"


def test_an_unknown_key_that_is_near_nothing_lists_the_known_ones(file: Path) -> None:
    error = refusal_of(file, RECIPE + "restart: {zzz: 1}\n")
    assert error.expected == "one of policy, max_restarts, budgets, backoff, without_progress, auto_fix"


WRONG = {
    "ranks": ("ranks: eight", "ranks is 'eight'", "a whole number from 1 to 1000000"),
    "ranks as text": ("ranks: '8'", "ranks is '8'", "a whole number from 1 to 1000000"),
    "no ranks": ("ranks: 0", "ranks is 0", "a whole number from 1 to 1000000"),
    "ranks as float": ("ranks: 8.5", "ranks is 8.5", "a whole number from 1 to 1000000"),
    "ranks true": ("ranks: true", "ranks is true", "a whole number from 1 to 1000000"),
    "framework": ("framework: jax", "framework is 'jax'", "mindspore, pytorch, tensorflow or plain"),
    "args": ("args: fast", "args is 'fast'", "a mapping of option names to values, or a list of texts"),
    "port": ("scheduler_port: 80", "scheduler_port is 80", "a port from 1024 to 65535"),
    "script": ("script: ''", "script is ''", "text, not empty"),
    "restart": ("restart: group", "restart is 'group'", "a mapping with policy and max_restarts"),
    "grace": ("grace: -1", "grace is -1", "seconds, from 0 to 86400"),
    "endless": ("grace: .inf", "grace is inf", "seconds, from 0 to 86400"),
}


@pytest.mark.parametrize(("line", "what", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_answered_in_words(file: Path, line: str, what: str, expected: str) -> None:
    others = [given_line for given_line in RECIPE.splitlines() if given_line.split(":")[0] != line.split(":")[0]]
    error = refusal_of(file, "\n".join([line, *others]))
    assert error.where.startswith(f"{file}:1:")
    assert (error.what, error.expected) == (what, expected)


def test_a_number_where_a_text_belongs_is_to_be_quoted(file: Path) -> None:
    assert refusal_of(file, RECIPE.replace("job", "2024")).remedy == "put it in quotes"


def test_a_missing_key_is_named_with_what_it_takes(file: Path) -> None:
    error = refusal_of(file, RECIPE.replace("ranks: 8\n", ""))
    assert (error.what, error.expected) == ("ranks is missing", "a whole number from 1 to 1000000")
    assert error.remedy == "add `ranks: ...`"


def test_a_mistyped_key_is_one_problem_and_not_two(file: Path) -> None:
    error = refusal_of(file, RECIPE.replace("framework", "freamwork"))
    assert (error.what, error.remedy) == ("unknown key freamwork", "did you mean framework?")


def test_problems_are_reported_together_in_the_order_of_the_file(file: Path) -> None:
    error = refusal_of(file, "ranks: eight\nname: [a]\nframework: plain\nscript: 5\n")
    lines = str(error).splitlines()
    assert lines[0] == f"{file}: 3 problems"
    assert [line.split(":")[1] for line in lines[1:]] == ["1", "2", "4"]


def test_of_many_problems_the_first_ten_are_shown(file: Path) -> None:
    error = refusal_of(file, RECIPE + "".join(f"zz{number}: 1\n" for number in range(25)))
    lines = str(error).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "  and 15 more"


def test_a_cluster_is_not_taken_for_a_recipe(file: Path) -> None:
    file.write_text("name: c\nsoc: CPU\nhosts: [{name: a, address: 10.0.0.1, devices: 8}]\n")
    assert refusal(file).what == "is a cluster"
    file.write_text(RECIPE)
    with pytest.raises(SpecError, match="is a recipe"):
        load_cluster(file)


YAML_LIKE = st.text(alphabet="abrnk0189.-: \n\t'\"[]{},&*!|>%#?\\x~\x00\x85\ufeff\u2028é", max_size=60)


@given(
    st.one_of(st.binary(max_size=80), YAML_LIKE.map(str.encode), YAML_LIKE.map(lambda tail: (RECIPE + tail).encode()))
)
@example(b'a: "\\UFFFFFFFF"')
@example(b'name: "\\ud800"')
@example(b"%YAML 1.1\n---\na: yes")
@example(b"\xef\xbb\xbfname: x")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_recipe_or_a_spec_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    for load in (load_recipe, load_cluster):
        try:
            load(file)
        except SpecError as error:
            assert error.what and error.where.startswith(str(file))
