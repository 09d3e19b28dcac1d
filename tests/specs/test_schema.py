"""The JSON schemas accept what the loader accepts, and are in the repository as the models have them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from launcher.cli.main import main
from launcher.errors import SpecError
from launcher.specs import load_cluster, load_recipe
from launcher.specs.schema import cluster_schema, recipe_schema
from tests.specs.cluster_strategies import cluster_values, damaged, some, words

ROOT = Path(__file__).parents[2]
SCHEMAS = {"recipe": recipe_schema(), "cluster": cluster_schema()}
CHECKS = {kind: Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}
# What no JSON schema can say: what one value has to do with another, and what the names of a pattern are like.
BEYOND = re.compile(
    "runs backwards|stands for|is no IP address|neither an IP|cannot name a folder|there is no|which is no host of|"
    "leaves no host|says no devices|does not have|has chips of|devices at most|go from 0|a second time| again, which |"
    "an ip of their own|the policy is never|which comes with several chips|form no gang|soc is missing|"
    "no container beside"
)
recipe_values = damaged(
    some(
        {
            "name": st.sampled_from(["job", "训练"]),
            "framework": st.sampled_from(["mindspore", "plain"]),
            "ranks": st.integers(1, 9),
            "script": st.just("train.py"),
            "args": st.fixed_dictionaries(
                {"a": st.none() | st.booleans() | st.floats(0, 1) | words, "b.c": st.just([1, "x"])}
            )
            | st.lists(words, max_size=2),
            "env": st.fixed_dictionaries({"A": words | st.integers() | st.booleans()}),
            "restart": st.fixed_dictionaries({"policy": st.just("group"), "max_restarts": st.integers(0, 9)}),
            "rank_table": st.sampled_from(["auto", "1.0", 1.2, 2.0, "legacy"]),
            "rendezvous": st.sampled_from(["auto", "cm"]),
            "binding": st.sampled_from(["auto", "off"]),
            "memory": st.sampled_from(["26 GB", "1.5gib", 4096, None])
            | st.dictionaries(words, st.sampled_from(["26 GB", 4096]), max_size=2),
            "data": st.lists(words, max_size=2),
            "preflight": st.sampled_from(["fast", "off"]),
            "grace": st.integers(0, 9) | st.floats(0, 9),
        },
        "name",
        "framework",
        "ranks",
        "script",
    )
)


def agree(kind: str, values: dict[str, Any], load: Callable[[Path], object]) -> None:
    """Whether schema and loader say the same of a file; JSON is YAML too."""
    says = [error.message for error in CHECKS[kind].iter_errors(values)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        try:
            load(file)
        except SpecError as error:
            assert says or BEYOND.search(str(error)), f"the schema accepts it, the loader does not: {error}"
        else:
            assert not says, f"the loader accepts it, the schema does not: {says}"


@settings(max_examples=300, deadline=None)
@given(cluster_values)
def test_schema_and_loader_agree_on_clusters(values: dict[str, Any]) -> None:
    agree("cluster", values, load_cluster)


@settings(max_examples=300, deadline=None)
@given(recipe_values)
def test_schema_and_loader_agree_on_recipes(values: dict[str, Any]) -> None:
    agree("recipe", values, load_recipe)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schemas_are_schemas_of_the_draft_they_name(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_has_a_description_and_no_other_key_is_known(kind: str) -> None:
    schema = SCHEMAS[kind]
    for part in (schema, *schema["$defs"].values()):
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert all("description" in key or "$ref" in key for key in part["properties"].values())


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schemas_of_the_repository_are_up_to_date(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind]) == 0
    printed = capsys.readouterr().out
    file = ROOT / "schemas" / f"{kind}.json"
    assert file.read_text("utf-8") == printed, f"run: npu-launch schema {kind} > schemas/{kind}.json"


@pytest.mark.parametrize(
    "path", sorted([*ROOT.glob("clusters/*.yaml"), *ROOT.glob("recipes/*.yaml")]), ids=lambda p: p.name
)
def test_every_shipped_spec_names_its_schema_and_follows_it(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match, f"{path}: the first line names no schema"
    schema = json.loads((path.parent / match[1]).read_text("utf-8"))
    Draft202012Validator(schema).validate(YAML(typ="safe", pure=True).load(path.read_text("utf-8")))


def test_an_unknown_kind_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "recipes"]) == 2
    assert "recipe" in capsys.readouterr().err
