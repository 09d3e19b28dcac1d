"""`npu-launch schema`: the JSON schema by which editors complete and check specs."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class SpecKind(str, Enum):
    """What people write."""

    RECIPE = "recipe"
    CLUSTER = "cluster"


def schema(
    kind: Annotated[SpecKind, typer.Argument(metavar="recipe|cluster", help="Whose schema.", show_default=False)],
) -> int:
    """Print the JSON schema of recipes or clusters, for editors.

    \b
    npu-launch schema recipe > recipe.json
    and in the recipe's first line:  # yaml-language-server: $schema=recipe.json
    """
    from launcher.cli.output import put
    from launcher.specs.schema import cluster_schema, recipe_schema, schema_text

    put(schema_text(recipe_schema() if kind is SpecKind.RECIPE else cluster_schema()).rstrip("\n"))
    return 0
