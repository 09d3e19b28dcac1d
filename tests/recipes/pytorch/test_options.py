import subprocess
import sys

import pytest
from ddp.environment import Place, read_place
from ddp.options import Options
from training.errors import RecipeError
from training.options import parse

MEETING = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_the_defaults_are_those_of_resnet_18_on_imagenet():
    options = parse(Options, [], None)
    assert (options.stage_blocks, options.width, options.stem, options.image_size) == ((2, 2, 2, 2), 64, "7x7", 224)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--depth=50"], "invalid choice: 50"),
        (["--width=0"], "--width=0: expected a number of at least 1"),
        (["--label_smoothing=1"], "--label_smoothing=1.0: expected a number below 1"),
        (["--clip_norm=-1"], "--clip_norm=-1.0: expected a number of at least 0"),
        (["--amp=float16"], "add --loss_scale=dynamic"),
        (["--loss_scale=static"], "invalid choice: 'static'"),
        (["--amp_level=O2"], "unrecognized arguments: --amp_level=O2"),
    ],
)
def test_a_bad_option_is_told_in_one_line(flags, told):
    with pytest.raises(RecipeError) as refusal:
        parse(Options, flags, None)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_without_variables_the_script_trains_alone():
    assert read_place({}) == Place(rank=0, local_rank=0, ranks=1, device_target=None)


def test_torchrun_and_npu_launch_name_rank_and_device():
    environ = {"RANK": "9", "LOCAL_RANK": "1", "WORLD_SIZE": "16", **MEETING}
    assert read_place(environ) == Place(rank=9, local_rank=1, ranks=16, device_target=None)
    assert read_place({**environ, "DEVICE_TARGET": "Ascend"}).device_target == "Ascend"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2, but RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT not set"),
        ({"WORLD_SIZE": "2", "RANK": "1", **MEETING}, "LOCAL_RANK not set"),
        ({"WORLD_SIZE": "none"}, "WORLD_SIZE=none: expected an integer of at least 1"),
        (
            {"WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0", **MEETING},
            "RANK=2: expected a number below WORLD_SIZE=2",
        ),
        ({"DEVICE_TARGET": "GPU"}, "DEVICE_TARGET=GPU: expected Ascend or CPU"),
    ],
)
def test_an_environment_that_describes_no_group_is_told_in_one_line(environ, told):
    with pytest.raises(RecipeError) as refusal:
        read_place(environ)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--schedule=linear", "invalid choice: 'linear'"),
        ("--dataset=/no/such 'folder'; echo", "no such folder; expected 'synthetic', a folder with the binary files"),
        ("--batch_size=5000", "4096 training images, but one step takes 5000"),
    ],
)
def test_a_mistake_ends_with_code_2_before_the_framework_is_imported(flag, told, tmp_path, train_script):
    (tmp_path / "torch.py").write_text("raise SystemExit('the framework was imported')")
    ended = subprocess.run(
        [sys.executable, train_script, flag],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert told in ended.stderr
