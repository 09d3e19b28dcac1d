"""JSON schemas of models, above all of recipes and clusters, by which editors complete and check them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from launcher.specs.cluster_file import ClusterFile
from launcher.specs.dump import plain
from launcher.specs.recipe import Recipe


def recipe_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a recipe; how many ranks there are is told by `ranks` or by `sweep`."""
    schema = schema_of(Recipe, "Recipe of npu-launch")
    required = [name for name in schema["required"] if name != "ranks"]
    return {**schema, "required": required, "anyOf": [{"required": ["ranks"]}, {"required": ["sweep"]}]}


def cluster_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a cluster; the chip is told by `soc` or by `server`."""
    chip = [{"required": ["soc"]}, {"required": ["server"]}]
    return {**schema_of(ClusterFile, "Cluster of npu-launch"), "anyOf": chip}


def schema_text(schema: dict[str, Any]) -> str:
    """A schema as a file has it, byte for byte the same for the same models."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a model."""
    made = model.model_json_schema(schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **made, "title": title}


class _Generator(GenerateJsonSchema):
    """Titles that only repeat the key are left out, and defaults are as one writes them."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        keys = self.generate_inner(schema["keys_schema"])
        return {
            "type": "object",
            "propertyNames": keys,
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }

    def encode_default(self, default: Any) -> Any:
        return plain(default)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) in (None, [], {}):
            del made["default"]
        return made
