import subprocess
import sys

import pytest
from deeplabv3.options import Options
from training.environment import read_environment
from training.errors import RecipeError
from training.options import parse


def test_the_defaults_are_those_of_resnext_50_32x4d():
    options = parse(Options, [], None)
    assert (options.depth, options.cardinality, options.width, options.stem_channels) == (50, 32, 4, 64)
    assert (options.stage_blocks, options.output_stride, options.rates) == ((3, 4, 6, 3), 16, (6, 12, 18))


def test_output_stride_8_doubles_the_rates():
    assert parse(Options, ["--output_stride=8"], None).rates == (12, 24, 36)


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--output_stride=4", "invalid choice: 4"),
        ("--batch_size=0", "--batch_size=0: expected a number of at least 1"),
        ("--batch_size=four", "invalid int value: 'four'"),
        ("--batch=4", "unrecognized arguments: --batch=4"),
        ("--learning_rate=nan", "--learning_rate=nan: expected a positive number"),
        ("--learning_rate=inf", "--learning_rate=inf: expected a positive number"),
        ("--aspp_rates=6,x", "--aspp_rates=6,x: expected positive integers"),
        ("--num_classes=256", "--num_classes=256: expected 2 to 255"),
        ("--deterministic=maybe", "expected true or false, got 'maybe'"),
        ("--resume_from=/no/such.ckpt", "--resume_from=/no/such.ckpt: no such file"),
        ("--stop_at_step=4", "add --checkpoint_dir=FOLDER"),
    ],
)
def test_a_bad_option_is_told_in_one_line(flag, told):
    with pytest.raises(RecipeError) as refusal:
        parse(Options, [flag], None)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"DEVICE_TARGET": "NPU"}, "DEVICE_TARGET=NPU: expected one of Ascend, GPU, CPU"),
        ({"RANK_SIZE": "8"}, "RANK_SIZE=8, but nothing says where the other ranks are"),
        ({"DEVICE_ID": "first"}, "DEVICE_ID=first: expected an integer of at least 0"),
        ({"MS_ROLE": "MS_WORKER", "MS_WORKER_NUM": "0"}, "MS_WORKER_NUM=0: expected an integer of at least 1"),
    ],
)
def test_an_environment_that_describes_no_group_is_told_in_one_line(environ, told):
    with pytest.raises(RecipeError) as refusal:
        read_environment(environ)
    assert told in str(refusal.value)


def test_without_variables_the_script_trains_alone_on_ascend():
    environment = read_environment({})
    assert (environment.device_target, environment.ranks, environment.is_scheduler) == ("Ascend", 1, False)


def test_a_rank_table_makes_a_group_without_a_scheduler():
    environment = read_environment({"RANK_SIZE": "8", "RANK_TABLE_FILE": "/job/rank table.json", "DEVICE_ID": "3"})
    assert (environment.ranks, environment.device_id) == (8, 3)


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--schedule=linear", "invalid choice: 'linear'"),
        ("--dataset=/no/such 'folder'; echo", "no such folder; expected 'synthetic' or a folder laid out as VOC"),
    ],
)
def test_a_mistake_ends_with_code_2_before_the_framework_is_imported(flag, told, tmp_path, train_script):
    poisoned = tmp_path / "mindspore.py"
    poisoned.write_text("raise SystemExit('the framework was imported')")
    ended = subprocess.run(
        [sys.executable, train_script, flag],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "DEVICE_TARGET": "CPU"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert told in ended.stderr
