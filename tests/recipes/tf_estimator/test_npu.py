"""What is set on an NPU, and how the adapters of TensorFlow 1.15 and 2.6 are given it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cifar_cnn import npu
from cifar_cnn.npu import NpuSettings, npu_settings
from cifar_cnn.options import MIXED_PRECISION, PRECISION_MODES, Options
from cifar_cnn.place import ALONE, CHIEF, RANK_TABLE, Place
from hypothesis import given
from hypothesis import strategies as st
from training.errors import RecipeError

from tests.recipes.tf_estimator.fakes import Call, FakeTensorFlow, adapter, installed

VERSIONS = ("1.15.5", "2.6.5")
EIGHT = Place(on_npu=True, rank=3, ranks=8, meeting=RANK_TABLE)
ONE = Place(on_npu=True, rank=0, ranks=1, meeting=ALONE)
PLAIN = npu_settings(Options(), ONE, {})
RUN_CONFIG = {"model_dir": "/m", "save_checkpoints_steps": 100}


def settings(place: Place = EIGHT, **options: Any) -> NpuSettings:
    return npu_settings(Options(**options), place, {})


def refusal(place: Place = EIGHT, **options: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        settings(place, **options)
    return str(caught.value)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_the_module_needs_neither_tensorflow_nor_an_adapter() -> None:
    assert {"tensorflow", "npu_bridge", "npu_device"}.isdisjoint(sys.modules)


def test_what_is_not_asked_for_is_left_to_cann() -> None:
    assert PLAIN.parameters() == {
        "enable_data_pre_proc": True,
        "iterations_per_loop": 1,
        "mix_compile_mode": False,
        "hcom_parallel": False,
    }


def test_several_ranks_reduce_while_they_compute() -> None:
    assert settings().parameters()["hcom_parallel"] is True


@given(
    place=st.sampled_from([ONE, EIGHT]),
    loop=st.integers(1, 1000),
    mixed=st.booleans(),
    precision=st.sampled_from(PRECISION_MODES),
)
def test_the_device_loops_or_the_host_takes_part_but_not_both(
    place: Place, loop: int, mixed: bool, precision: str
) -> None:
    try:
        found = settings(place, iterations_per_loop=loop, mix_compile_mode=mixed, precision_mode=precision)
    except RecipeError as error:
        assert mixed
        assert loop > 1
        assert "set --iterations_per_loop=1" in str(error)
    else:
        parameters = found.parameters()
        assert not (parameters["mix_compile_mode"] and parameters["iterations_per_loop"] != 1)
        assert parameters.get("precision_mode", "") == precision


def test_v2_control_flow_is_what_the_environment_says() -> None:
    assert npu_settings(Options(), ONE, {"ENABLE_FORCE_V2_CONTROL": "1"}).v2_control_flow
    assert not npu_settings(Options(), ONE, {"ENABLE_FORCE_V2_CONTROL": "0"}).v2_control_flow


LISTS = {"black-list": {"to-add": ["MatMul"]}, "white-list": {"to-remove": ["Conv2D"], "to-add": []}}


@pytest.mark.parametrize("mode", MIXED_PRECISION)
def test_a_list_of_operators_goes_with_mixed_precision(tmp_path: Path, mode: str) -> None:
    lists = tmp_path / "lists.json"
    lists.write_text(json.dumps(LISTS))
    found = settings(precision_mode=mode, modify_mixlist=str(lists))
    assert found.parameters()["modify_mixlist"] == str(lists)
    assert "expected --precision_mode=allow_mix_precision" in refusal(modify_mixlist=str(lists))


@pytest.mark.parametrize(
    "content", ["", "// a comment\n{}", "[]", '{"grey-list": {}}', '{"black-list": []}', '{"black-list": {"add": []}}']
)
def test_a_list_that_cann_could_not_read_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    lists = tmp_path / "lists.json"
    lists.write_text(content)
    told = refusal(precision_mode=MIXED_PRECISION[0], modify_mixlist=str(lists))
    assert told.startswith(f"--modify_mixlist={lists}: ")
    assert '{"black-list": {"to-add"' in told
    assert "\n" not in told


def test_a_list_is_a_json_file_that_there_is(tmp_path: Path) -> None:
    (tmp_path / "lists.txt").write_text(json.dumps(LISTS))
    for name in ("lists.txt", "none.json"):
        told = refusal(precision_mode=MIXED_PRECISION[0], modify_mixlist=str(tmp_path / name))
        assert told.startswith(f"--modify_mixlist={tmp_path / name}: ")


def test_the_settings_are_one_line_of_the_log() -> None:
    line = settings(precision_mode="allow_mix_precision", loss_scale="dynamic").line()
    assert line.startswith("npu: ranks 8, ")
    assert "precision_mode allow_mix_precision, loss_scale dynamic, loss_scale_value 65536.0" in line
    assert "modify_mixlist" not in line


# -- the adapter -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_adapter_is_that_of_the_tensorflow(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = installed(version)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert npu.load_adapter(FakeTensorFlow(version)) is list(modules.values())[-1]
    if version.startswith("2."):
        assert modules["npu_device"].enabled == ["v1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_without_an_adapter_it_is_said_what_to_install(version: str) -> None:
    with pytest.raises(RecipeError, match=r"no adapter for NPUs .*npu_.*: install CANN's tfplugin"):
        npu.load_adapter(FakeTensorFlow(version))


def test_control_flow_of_version_2_is_switched_on_before_the_graph() -> None:
    tf = FakeTensorFlow("1.15.5")
    npu.use_v2_control_flow(tf, PLAIN)
    assert tf.calls == []
    npu.use_v2_control_flow(tf, replace(PLAIN, v2_control_flow=True))
    assert tf.calls == ["enable_control_flow_v2", "enable_resource_variables"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_has_every_parameter_in_the_field_of_its_type(version: str) -> None:
    wanted = settings(precision_mode="force_fp16", iterations_per_loop=10)
    config = npu.session_config(FakeTensorFlow(version), wanted)
    assert config.allow_soft_placement
    rewriting = config.graph_options.rewrite_options
    assert (rewriting.remapping, rewriting.memory_optimization) == (rewriting.OFF, rewriting.NO_MEM_OPT)
    (optimizer,) = rewriting.custom_optimizers
    assert optimizer.name == "NpuOptimizer"
    assert {name: vars(value) for name, value in optimizer.parameter_map.items()} == {
        "enable_data_pre_proc": {"b": True},
        "iterations_per_loop": {"i": 10},
        "mix_compile_mode": {"b": False},
        "hcom_parallel": {"b": True},
        "precision_mode": {"s": b"force_fp16"},
    }


@pytest.mark.parametrize(("version", "optimizers"), [("1.15.5", 0), ("2.6.5", 1)])
def test_an_estimator_has_the_same_parameters(version: str, optimizers: int) -> None:
    wanted = settings(precision_mode="allow_mix_precision", iterations_per_loop=48)
    made = npu.estimator(FakeTensorFlow(version), adapter(version), wanted, "model", RUN_CONFIG)
    assert (made.name, made.named["model_fn"]) == ("NPUEstimator", "model")
    given_to = dict(made.named["config"].named)
    session = given_to.pop("session_config")
    assert given_to == RUN_CONFIG | wanted.parameters()
    assert len(session.graph_options.rewrite_options.custom_optimizers) == optimizers


# -- the optimiser -----------------------------------------------------------------------------------------------------


def wrapped(version: str, wanted: NpuSettings, knows_chief: bool = True) -> Any:
    return npu.wrapped_optimizer(FakeTensorFlow(version), adapter(version, knows_chief), wanted, "momentum")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_rank_alone_has_its_optimiser_as_it_is(version: str) -> None:
    assert wrapped(version, PLAIN) == "momentum"


@pytest.mark.parametrize("version", VERSIONS)
def test_several_ranks_average_their_gradients(version: str) -> None:
    made = wrapped(version, settings())
    assert (made.name, made.values) == ("npu_distributed_optimizer_wrapper", ("momentum",))


def test_with_1_15_the_adapter_scales_the_loss_around_the_averaging() -> None:
    made = wrapped("1.15.5", settings(loss_scale="dynamic", loss_scale_value=1024.0, loss_scale_window=500))
    assert (made.name, made.named) == ("NPULossScaleOptimizer", {"is_distributed": True})
    inner, manager = made.values
    assert inner.name == "npu_distributed_optimizer_wrapper"
    assert manager.name == "ExponentialUpdateLossScaleManager"
    assert (manager.named["init_loss_scale"], manager.named["incr_every_n_steps"]) == (1024.0, 500)


def test_a_static_scale_stays() -> None:
    made = wrapped("1.15.5", settings(ONE, loss_scale="static", loss_scale_value=128.0))
    assert made.named == {"is_distributed": False}
    inner, manager = made.values
    assert inner == "momentum"
    assert (manager.name, manager.named) == ("FixedLossScaleManager", {"loss_scale": 128.0})


@pytest.mark.parametrize(
    ("kind", "scale", "values"),
    [("static", "FixedLossScale", (256.0,)), ("dynamic", "DynamicLossScale", (256.0, 1000))],
)
def test_with_2_6_tensorflow_scales_the_loss_itself(kind: str, scale: str, values: tuple[Any, ...]) -> None:
    made = wrapped("2.6.5", settings(loss_scale=kind, loss_scale_value=256.0))
    assert made.name == "MixedPrecisionLossScaleOptimizer"
    inner, made_scale = made.values
    assert inner.name == "npu_distributed_optimizer_wrapper"
    assert (made_scale.name, made_scale.values) == (scale, values)


def test_an_adapter_that_would_not_average_at_a_chief_is_refused() -> None:
    at_chief = settings(Place(on_npu=True, rank=0, ranks=8, meeting=CHIEF))
    assert isinstance(wrapped("1.15.5", at_chief), Call)
    with pytest.raises(RecipeError, match="set rendezvous to rank_table"):
        wrapped("1.15.5", at_chief, knows_chief=False)
    assert isinstance(wrapped("1.15.5", settings(), knows_chief=False), Call)
