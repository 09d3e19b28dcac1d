import pytest
from residual.options import Options
from training.errors import RecipeError
from training.options import parse

from tests.recipes.resnet.conftest import Run


def test_the_defaults_are_those_of_resnet_50_on_imagenet():
    options = parse(Options, [], None)
    assert options.architecture() == {"depth": 50, "width": 64, "stem": "7x7"}
    assert (options.image_size, options.schedule, options.label_smoothing, options.splits) == (224, "cosine", 0.1, [])


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--depth=51", "invalid choice: 51"),
        ("--width=0", "--width=0: expected a number of at least 1"),
        ("--label_smoothing=1", "--label_smoothing=1.0: expected a number below 1"),
        ("--all_reduce_splits=85,x", "--all_reduce_splits=85,x: expected rising integers as in 60,120"),
        ("--all_reduce_splits=160,85", "expected rising integers"),
        ("--all_reduce_splits=-1", "expected rising integers"),
    ],
)
def test_a_bad_option_is_told_in_one_line(flag, told):
    with pytest.raises(RecipeError) as refusal:
        parse(Options, [flag], None)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_gradients_are_split_where_the_option_says():
    assert parse(Options, ["--all_reduce_splits=85,160"], None).splits == [85, 160]


@pytest.mark.parametrize(
    ("script", "flag", "told"),
    [
        ("train.py", "--dataset=/no/such 'folder'; echo", "no such folder; expected 'synthetic'"),
        ("train.py", "--batch_size=9999", "but one step takes 9999"),
        ("export.py", "--output=x.mindir", "--checkpoint=FILE: expected a checkpoint of train.py"),
        ("export.py", "--checkpoint=/no/such.ckpt", "--checkpoint=/no/such.ckpt: no such file"),
    ],
)
def test_a_mistake_ends_with_code_2_before_the_framework_is_imported(script, flag, told, run_without_framework: Run):
    ended = run_without_framework(script, flag)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert told in ended.stderr
