"""`npu-launch schema`: the JSON schema of what people write, and of what a diagnosis is."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class SchemaKind(str, Enum):
    """What there is a schema of."""

    RECIPE = "recipe"
    CLUSTER = "cluster"
    DIAGNOSIS = "diagnosis"


def schema(
    kind: Annotated[
        SchemaKind, typer.Argument(metavar="recipe|cluster|diagnosis", help="Whose schema.", show_default=False)
    ],
) -> int:
    """Print the JSON schema of recipes or clusters, for editors, or of diagnoses.

    \b
    npu-launch schema recipe > recipe.json
    and in the recipe's first line:  # yaml-language-server: $schema=recipe.json
    """
    from launcher.cli.output import put
    from launcher.specs.schema import cluster_schema, recipe_schema, schema_text

    match kind:
        case SchemaKind.RECIPE:
            made = recipe_schema()
        case SchemaKind.CLUSTER:
            made = cluster_schema()
        case SchemaKind.DIAGNOSIS:
            from launcher.diagnose.verdict import verdict_schema

            made = verdict_schema()
    put(schema_text(made).rstrip("\n"))
    return 0
