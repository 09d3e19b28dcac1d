from training.checkpoint_folder import CheckpointFolder


def test_only_the_newest_checkpoints_are_kept_and_the_one_just_written_is_among_them(tmp_path):
    folder = CheckpointFolder(str(tmp_path / "kept"), keep=2)
    for step in (30, 40, 10, 20):  # after a resume from an older checkpoint, numbers start again lower
        folder.save(step, lambda path: path.write_bytes(b"weights"))
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["step_00000010.ckpt", "step_00000020.ckpt"]
