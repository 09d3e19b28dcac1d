import pytest
from training.checkpoint_folder import CheckpointFolder, position
from training.errors import RecipeError


def test_only_the_newest_checkpoints_are_kept_and_the_one_just_written_is_among_them(tmp_path):
    folder = CheckpointFolder(str(tmp_path / "kept"), keep=2)
    for step in (30, 40, 10, 20):  # after a resume from an older checkpoint, numbers start again lower
        folder.save(step, lambda path: path.write_bytes(b"weights"))
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["step_00000010.ckpt", "step_00000020.ckpt"]


def test_a_checkpoint_tells_after_which_epoch_it_was_written_or_is_refused():
    assert position("x.ckpt", {"step": 7, "steps_per_epoch": 3}) == (3, 7)
    for run in ({"step": 7}, {"step": 7, "steps_per_epoch": 0}, {"step": 7, "steps_per_epoch": "3"}):
        with pytest.raises(RecipeError, match=r"^x\.ckpt: does not say how many steps an epoch has"):
            position("x.ckpt", run)
