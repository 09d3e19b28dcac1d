"""What is not exported."""

import pytest

ms = pytest.importorskip("mindspore")

from residual.mindir import export  # noqa: E402
from training.checkpoint_folder import CheckpointFolder  # noqa: E402
from training.errors import RecipeError  # noqa: E402
from training.on_mindspore.checkpoint import save  # noqa: E402

pytestmark = pytest.mark.mindspore


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    parameters = [ms.Parameter(ms.Tensor([1.0]), name="weight")]
    saved = save(CheckpointFolder(str(tmp_path), keep=1), 1, parameters, {"depth": 14, "cardinality": 8})
    with pytest.raises(RecipeError, match="says nothing of width, stem, classes: expected a checkpoint of this recipe"):
        export(str(saved), str(tmp_path / "x.mindir"), image_size=32, batch_size=2)
