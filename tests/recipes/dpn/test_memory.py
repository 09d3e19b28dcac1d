"""What training takes of a device's memory, and what preflight makes of it."""

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsing.memory import bytes_by_part, layers, recipe_memory, size_text
from parsing.options import Options
from pydantic import TypeAdapter
from training.options import parse
from training.segmentation.shapes import CLASS_NAMES

from launcher.cli.main import main
from launcher.errors import ExitCode
from launcher.specs import load_recipe
from launcher.specs.fields import Size
from launcher.specs.memory import in_all
from tests.recipes.golden.regenerate import FULL_SIZE
from tests.site import Site

GB = 1 << 30
CLASSES = {"dpn_1p": len(CLASS_NAMES), "dpn_paper_1p": 21}


def options_of(recipe):
    return parse(Options, [f"--{name}={value}" for name, value in recipe.args.items()], None)


def by_name(*flags, classes=21):
    return {layer.name: layer for layer in layers(parse(Options, flags, None), classes)}


def test_the_trunk_and_fc6_at_vggs_size_have_the_published_numbers_of_parameters():
    found = by_name("--fc6_kernel=7", "--fc6_dilation=4")
    assert sum(layer.parameters for name, layer in found.items() if name.startswith("conv")) == 14_714_688
    assert found["fc6 7x7x512x4096"].parameters == 102_764_544
    assert found["fc7 1x1x4096x4096"].parameters == 16_781_312


def test_at_the_papers_sizes_two_layers_take_nearly_all():
    parts = bytes_by_part(layers(parse(Options, [], None), classes=21))
    fc6 = 3 * 4 * (25 * 25 * 512 * 4096 + 4096) + 4 * 64 * 64 * 4096
    assert parts["fc6 25x25x512x4096"] == fc6
    assert parts["local convolution 50x50"] > 2 * 21 * 2500 * 512**2 * 4
    assert sum(parts.values()) - parts["local convolution 50x50"] - fc6 < 1 * GB


@given(batch=st.integers(1, 8), size=st.integers(4, 64), stride=st.sampled_from([1, 2, 4, 8]))
def test_a_batch_changes_what_is_kept_and_not_the_weights(batch, size, stride):
    flags = [f"--image_size={8 * size}", f"--mrf_stride={stride}"]
    one, several = by_name(*flags), by_name(*flags, f"--batch_size={batch}")
    for name, layer in one.items():
        assert several[name].parameters == layer.parameters
        assert several[name].kept == batch * layer.kept
        assert several[name].passing == batch * layer.passing


@given(accumulation=st.integers(2, 64))
def test_sums_of_gradients_take_the_memory_of_the_parameters_once_more(accumulation):
    one, several = by_name(), by_name(f"--accumulation={accumulation}")
    for name, layer in one.items():
        assert several[name].state_bytes == layer.state_bytes + 4 * layer.parameters
        assert (several[name].kept, several[name].passing) == (layer.kept, layer.passing)


def test_what_only_one_layer_at_a_time_needs_counts_once():
    every = layers(parse(Options, [], None), classes=21)
    always = sum(layer.state_bytes + layer.kept_bytes for layer in every)
    assert sum(bytes_by_part(every).values()) == always + max(layer.passing_bytes for layer in every)


@given(st.integers(1, 1 << 40))
def test_a_size_in_a_recipe_is_no_less_than_what_is_needed(size):
    written = TypeAdapter(Size).validate_python(size_text(size))
    assert size <= written <= size * 1.1 + (1 << 20)


@pytest.mark.parametrize("name", CLASSES)
def test_the_memory_of_a_recipe_is_the_estimate_for_its_options(name, recipes):
    recipe = load_recipe(recipes / f"{name}.yaml")
    estimate = recipe_memory(options_of(recipe), CLASSES[name])
    sizes = {part: TypeAdapter(Size).validate_python(size) for part, size in estimate.items()}
    assert recipe.memory == sizes, "after a change that is meant: python recipes/dpn/memory.py OPTIONS"


def test_the_command_says_what_belongs_into_the_recipe(recipes):
    done = subprocess.run(
        [sys.executable, recipes / "dpn" / "memory.py", "--dataset=/data/VOCdevkit/VOC2012", "--accumulation=16"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    written = (recipes / "dpn_paper_1p.yaml").read_text()
    assert done.stdout.endswith(written[written.index("\nmemory:\n") :])
    assert re.search(r"^fc6 25x25x512x4096 +1,310,724,096 +19.6 GB", done.stdout, re.MULTILINE)


def test_the_command_tells_a_bad_option_in_one_line(recipes):
    done = subprocess.run(
        [sys.executable, recipes / "dpn" / "memory.py", "--fc6_kernel=6"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "memory.py: error: --fc6_kernel=6: expected an odd number, for a cell in the middle\n"


@pytest.fixture
def card_of_32_gb(tmp_path, monkeypatch):
    (host,) = Site(tmp_path / "site", 1, "910A").hosts
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("home", "card_of_32_gb")
def test_preflight_refuses_the_papers_sizes_on_a_card_of_32_gb_and_says_which_layers_cost_what(recipes, capsys):
    assert main(["check", str(recipes / "dpn_paper_1p.yaml")]) == ExitCode.PREFLIGHT_REFUSED
    said = capsys.readouterr().out
    assert "refuse  node-001 device 0 (rank 0): the device has 32 GB\n" in said
    assert (
        "  expected  126 GB for a rank, as the recipe says (memory): 105 GB local convolution 50x50, "
        "19.6 GB fc6 25x25x512x4096, 1.05 GB the rest\n"
    ) in said


def test_the_full_size_that_the_comments_name_fits_on_a_card_of_32_gb(recipes):
    _, overrides = FULL_SIZE["dpn_1p"]
    options = options_of(load_recipe(recipes / "dpn_1p.yaml", [each for each in overrides if "null" not in each]))
    assert (options.width, options.fc_channels, options.image_size) == (64, 4096, 512)
    assert sum(bytes_by_part(layers(options, classes=21)).values()) < 26 * GB  # what MindSpore leaves by default


@pytest.mark.usefixtures("home", "card_of_32_gb")
def test_the_reduced_sizes_fit(recipes, capsys):
    main(["check", "--json", str(recipes / "dpn_1p.yaml")])
    document = json.loads(capsys.readouterr().out)
    assert document["hosts"][0]["npus"]
    assert [finding for finding in document["findings"] if finding["check"] == "memory"] == []
    assert in_all(load_recipe(recipes / "dpn_1p.yaml").memory) < 1 * GB
