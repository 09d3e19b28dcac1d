"""What the script's options mean."""

import pytest
from parsing.options import Options
from training.errors import RecipeError
from training.options import parse


def test_the_defaults_are_the_sizes_of_the_paper():
    options = parse(Options, [], None)
    assert (options.image_size, options.width, options.fc6_kernel, options.fc_channels) == (512, 64, 25, 4096)
    assert (options.mrf_stride, options.local_window, options.context_window, options.mixtures) == (1, 50, 9, 5)


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--fc6_kernel=6", "--fc6_kernel=6: expected an odd number, for a cell in the middle"),
        ("--context_window=8", "--context_window=8: expected an odd number"),
        ("--image_size=513", "--image_size=513: expected a multiple of 8"),
        ("--mrf_stride=3", "invalid choice: 3"),
        ("--local_window=0", "--local_window=0: expected a number of at least 1"),
        ("--colour_deviation=nan", "--colour_deviation=nan: expected a number of at least"),
    ],
)
def test_a_bad_option_is_told_in_one_line(flag, told):
    with pytest.raises(RecipeError) as refusal:
        parse(Options, [flag], None)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)
