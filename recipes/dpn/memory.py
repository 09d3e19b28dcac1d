"""Say what training takes of a device's memory, layer by layer, and what to write into the recipe.

    python memory.py --fc6_kernel=7 --fc6_dilation=4 --mrf_stride=4 --local_window=12 --num_classes=21

The options are those of train.py. Nothing is trained, and no framework is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from parsing.memory import Layer, bytes_by_part, layers, recipe_memory, size_text
from parsing.options import Options
from training.errors import RecipeError
from training.options import parse
from training.segmentation.shapes import CLASS_NAMES

_CLASSES_OF_VOC = 21


def table(every: tuple[Layer, ...]) -> list[str]:
    """A line for each layer, then what is in use at most."""
    rows = [("layer", "parameters", "with gradients and momentum", "kept for backward", "only while computed")]
    rows += [
        (
            layer.name,
            f"{layer.parameters:,}",
            size_text(layer.state_bytes),
            size_text(layer.kept_bytes),
            size_text(layer.passing_bytes),
        )
        for layer in every
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for name, *cells in rows
    ]
    return [*lines, f"at most in use: {size_text(sum(bytes_by_part(every).values()))}"]


def main() -> int:
    try:
        options = parse(Options, sys.argv[1:], __doc__)
    except RecipeError as error:
        print(f"memory.py: error: {error}", file=sys.stderr)
        return 2
    classes = options.num_classes or (len(CLASS_NAMES) if options.dataset == "synthetic" else _CLASSES_OF_VOC)
    print("\n".join(table(layers(options, classes))))
    print("\nmemory:")
    for name, size in recipe_memory(options, classes).items():
        print(f"  {name}: {size}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
