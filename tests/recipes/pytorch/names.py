"""The promises in `promises.py` by name, without importing it: that takes PyTorch."""

from __future__ import annotations

import ast
from pathlib import Path

PROMISES = Path(__file__).with_name("promises.py")
NAMES = [
    node.name
    for node in ast.parse(PROMISES.read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
]
