"""What a recipe may set of HCCL's, CANN's and the frameworks' variables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_jobs import TWO, host, planned, recipe, refusal

from launcher.errors import PlanError
from launcher.planning.environment.settings import CATALOGUE
from launcher.planning.model import Environment, HostEnvironment

A1, A2, A3, A5 = "Ascend910A", "Ascend910B3", "Ascend910_9391", "Ascend950PR"


def warnings(soc: str = A2, framework: str = "pytorch", **env: Any) -> tuple[str, ...]:
    return planned(recipe(framework, env=env), soc=soc).warnings


def refused(soc: str = A2, framework: str = "pytorch", **env: Any) -> PlanError:
    return refusal(recipe(framework, env=env), soc=soc)


@pytest.mark.parametrize(
    ("soc", "name", "good", "bad"),
    [
        (A2, "HCCL_CONNECT_TIMEOUT", ["120", "7200"], ["119", "7201", "-1", "1e3", "", " 120", "१२०", "9" * 30]),
        (A1, "HCCL_EXEC_TIMEOUT", ["1", "17340"], ["0", "17341"]),
        (A2, "HCCL_EXEC_TIMEOUT", ["0", "2147483647"], ["2147483648"]),
        (A3, "HCCL_EXEC_TIMEOUT", ["0"], ["x"]),
        (A2, "HCCL_IF_BASE_PORT", ["1024", "65520"], ["1023", "65521"]),
        (A2, "HCCL_SOCKET_FAMILY", ["AF_INET", "AF_INET6"], ["AF_INET4", "af_inet"]),
        (A2, "HCCL_NPU_SOCKET_PORT_RANGE", ["auto", "61000-61050", "1,5-9"], ["61050-61000", "0", "61000-", "70000"]),
        (A2, "HCCL_BUFFSIZE", ["1", "400"], ["0", "200M"]),
        (A2, "HCCL_RDMA_TC", ["0", "132", "252"], ["133", "256"]),
        (A2, "HCCL_RDMA_SL", ["0", "7"], ["8"]),
        (A2, "HCCL_RDMA_TIMEOUT", ["5", "20"], ["4", "21"]),
        (A1, "HCCL_RDMA_TIMEOUT", ["24"], ["25"]),
        (A2, "HCCL_RDMA_RETRY_CNT", ["1", "7"], ["0", "8"]),
        (A2, "HCCL_DETERMINISTIC", ["true", "strict"], ["yes"]),
        (A2, "HCCL_IF_IP", ["10.0.0.1", "fe80::1"], ["eth0", "10.0.0"]),
        (A2, "ASCEND_GLOBAL_LOG_LEVEL", ["0", "4"], ["5", "INFO"]),
        (A2, "ASCEND_HOST_LOG_FILE_NUM", ["1", "1000"], ["0", "1001"]),
        (A2, "TASK_QUEUE_ENABLE", ["0", "2"], ["3"]),
        (A2, "ACL_DEVICE_SYNC_TIMEOUT", ["1", "2147483"], ["0", "2147484"]),
        (A2, "MS_NODE_TIMEOUT", ["30", "0"], ["1.5", "30s", ""]),
        (A2, "MS_TOPO_TIMEOUT", ["1800", "-1"], ["soon"]),
        (A2, "MS_SERVER_NUM", ["0"], ["1"]),
        (A2, "GLOG_v", ["0", "4"], ["5"]),
    ],
)
def test_a_value_is_in_its_documented_range(soc: str, name: str, good: list[str], bad: list[str]) -> None:
    variable = CATALOGUE[name]
    framework = "mindspore" if "mindspore" in variable.source else "pytorch"
    for text in good:
        assert planned(recipe(framework, env={name: text}), soc=soc).ranks[0].env[name] == text
    for text in bad:
        error = refused(soc, framework, **{name: text})
        assert error.what == f"env.{name} is {text!r}"
        assert variable.source in error.expected


@pytest.mark.parametrize(
    ("framework", "name"),
    [
        ("plain", "GLOG_v"),
        ("pytorch", "GLOG_logtostderr"),
        ("plain", "TASK_QUEUE_ENABLE"),
        ("mindspore", "PROF_CONFIG_PATH"),
    ],
)
def test_a_variable_of_another_framework_is_the_recipes_own(framework: str, name: str) -> None:
    assert warnings(framework=framework, **{name: "mine"}) == ()


@pytest.mark.parametrize("name", ["ASCEND_CUSTOM_OPP_PATH", "HCCL_ALGO", "PYTORCH_NPU_ALLOC_CONF", "HCCL_DFS_CONFIG"])
def test_a_setting_that_the_shell_left_can_be_emptied(name: str) -> None:
    assert warnings(**{name: ""}) == ()


def test_a_range_that_depends_on_the_chip_names_it() -> None:
    error = refused(A1, HCCL_EXEC_TIMEOUT=0)
    assert error.expected == "seconds from 1 to 17340 on Ascend910A (HCCL user guide, HCCL_EXEC_TIMEOUT)"


def test_what_is_not_documented_for_certain_is_warned_of() -> None:
    (warning,) = warnings(HCCL_INTER_HCCS_DISABLE="yes")
    assert "HCCL_INTER_HCCS_DISABLE is 'yes'; expected TRUE or FALSE" in warning
    (warning,) = warnings(A2, HCCL_OP_EXPANSION_MODE="CCU_MS")
    assert "HOST, HOST_TS, AI_CPU or AIV on Ascend910B3" in warning
    assert "MODULE=LEVEL" in warnings(ASCEND_MODULE_LOG_LEVEL="HCCL:1")[0]
    assert "whole numbers above 0" in warnings(OMP_NUM_THREADS="many")[0]
    assert warnings(ASCEND_MODULE_LOG_LEVEL="HCCL=1:GE=0", OMP_NUM_THREADS="4, 2") == ()


def test_names_of_network_cards_are_looked_at() -> None:
    for text in ("eth", "^eth", "=eth0", "^=eth0,eth1"):
        assert warnings(HCCL_SOCKET_IFNAME=text) == ()
    for text in ("", "eth0, eth1", "=,"):
        assert "names of network cards" in warnings(HCCL_SOCKET_IFNAME=text)[0]


def test_what_hccl_watches_is_looked_at_key_by_key() -> None:
    sound = "connection_fault_detection_time:0,cluster_heartbeat:off,task_monitor_interval:7200000"
    assert warnings(HCCL_DFS_CONFIG=sound) == ()
    error = refused(HCCL_DFS_CONFIG="connection_fault_detection_time:19")
    assert error.what == "HCCL_DFS_CONFIG has connection_fault_detection_time:19"
    assert "0, or seconds from 20 to 7200" in error.expected
    assert refused(HCCL_OP_RETRY_ENABLE="L1:2").what == "HCCL_OP_RETRY_ENABLE has L1:2"
    assert refused(HCCL_OP_RETRY_ENABLE="1").what == "HCCL_OP_RETRY_ENABLE has '1' without a value"
    assert "names a key twice" in warnings(HCCL_DFS_CONFIG="cluster_heartbeat:on,cluster_heartbeat:on")[0]
    assert "did you mean cluster_heartbeat?" in warnings(HCCL_DFS_CONFIG="cluster_heartbet:on")[0]


def test_what_all_ranks_must_agree_on_does_not_differ() -> None:
    (warning,) = warnings(HCCL_BUFFSIZE="20{rank}")
    assert warning == "env.HCCL_BUFFSIZE differs from rank to rank, and HCCL wants one for all"


def test_an_address_of_one_host_is_not_for_several() -> None:
    job = recipe(ranks=4, env={"HCCL_IF_IP": "10.0.0.1"})
    assert planned(job, *TWO).warnings == ("env.HCCL_IF_IP is the address of one host, and ranks are on several",)
    assert planned(job).warnings == ()


def test_each_ranks_value_is_looked_at() -> None:
    assert refused(framework="plain", HCCL_IF_BASE_PORT="{rank}0000").what == "env.HCCL_IF_BASE_PORT is '00000'"


def test_variables_of_the_npu_are_nobodys_on_cpu() -> None:
    assert planned(recipe(env={"HCCL_CONNECT_TIMEOUT": 1}), soc="CPU").warnings == ()
    assert refusal(recipe("mindspore", env={"GLOG_v": 5}), soc="CPU").what == "env.GLOG_v is '5'"


def test_an_event_outlasts_a_collective() -> None:
    error = refused(HCCL_EVENT_TIMEOUT=1000, HCCL_EXEC_TIMEOUT=1000)
    assert error.what == "HCCL_EVENT_TIMEOUT 1000 is not above HCCL_EXEC_TIMEOUT 1000"
    assert warnings(HCCL_EVENT_TIMEOUT=1001, HCCL_EXEC_TIMEOUT=1000) == ()
    assert "1868 (default) is not above HCCL_EXEC_TIMEOUT 3600" in warnings(HCCL_EXEC_TIMEOUT=3600)[0]
    assert "is not above HCCL_EXEC_TIMEOUT 1836 (default)" in warnings(HCCL_EVENT_TIMEOUT=60)[0]
    assert "is not above HCCL_EXEC_TIMEOUT 0" in warnings(HCCL_EVENT_TIMEOUT=100, HCCL_EXEC_TIMEOUT=0)[0], "0 is never"
    assert warnings(HCCL_EVENT_TIMEOUT=0, HCCL_EXEC_TIMEOUT=0) == ()
    assert warnings(framework="mindspore", HCCL_EXEC_TIMEOUT=3600) == (), "MindSpore has no HCCL_EVENT_TIMEOUT"


@pytest.mark.parametrize(
    ("pcie", "roce", "is_legal"),
    [
        ("1", None, True),
        ("1", "0", True),
        ("0", "1", True),
        (None, "1", True),
        ("0", "0", True),
        ("1", "1", False),
        ("0", None, False),
        (None, "0", False),
    ],
)
def test_the_links_within_a_server_go_together(pcie: str | None, roce: str | None, is_legal: bool) -> None:
    both = {"HCCL_INTRA_PCIE_ENABLE": pcie, "HCCL_INTRA_ROCE_ENABLE": roce}
    env = {name: value for name, value in both.items() if value is not None}
    if is_legal:
        assert warnings(**env) == ()
    elif len(env) == 2:
        assert "do not go together" in refused(**env).what
    else:
        assert "do not go together" in warnings(**env)[0], "a rank may inherit the other"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("max_split_size_mb:20", "PYTORCH_NPU_ALLOC_CONF has max_split_size_mb:20"),
        ("garbage_collection_threshold:1.5", "PYTORCH_NPU_ALLOC_CONF has garbage_collection_threshold:1.5"),
        ("expandable_segments:true", "PYTORCH_NPU_ALLOC_CONF has expandable_segments:true"),
        ("segment_size_mb:513", "PYTORCH_NPU_ALLOC_CONF has segment_size_mb:513"),
        (
            "expandable_segments:True,max_split_size_mb:50",
            "PYTORCH_NPU_ALLOC_CONF has expandable_segments:True beside max_split_size_mb",
        ),
        ("expandable_segments", "PYTORCH_NPU_ALLOC_CONF has 'expandable_segments' without a value"),
    ],
)
def test_the_allocators_settings_are_looked_at(text: str, what: str) -> None:
    assert refused(PYTORCH_NPU_ALLOC_CONF=text).what == what


def test_sound_allocator_settings_pass_and_unknown_keys_are_warned_of() -> None:
    assert warnings(PYTORCH_NPU_ALLOC_CONF="expandable_segments:True,base_addr_aligned_kb:16,page_size:1g") == ()
    lists = "max_split_size_mb: 50, roundup_power2_divisions:[256:1,512:2,>:8], garbage_collection_threshold: 0.8,"
    assert warnings(PYTORCH_NPU_ALLOC_CONF=lists) == ()
    (warning,) = warnings(PYTORCH_NPU_ALLOC_CONF="expandable_segment:True")
    assert "did you mean expandable_segments?" in warning


def test_settings_that_do_nothing_are_warned_of() -> None:
    assert "no effect with ASCEND_LAUNCH_BLOCKING" in warnings(ASCEND_LAUNCH_BLOCKING=1, TASK_QUEUE_ENABLE=2)[0]
    assert "Ascend910_93 alone" in warnings(HCCL_OP_RETRY_ENABLE="L1:1")[0]
    assert warnings(A3, HCCL_OP_RETRY_ENABLE="L1:1") == ()
    assert "needs HCCL_OP_EXPANSION_MODE" in warnings(A3, HCCL_OP_RETRY_ENABLE="L1:1", HCCL_OP_EXPANSION_MODE="AIV")[0]
    aiv = warnings(HCCL_OP_EXPANSION_MODE="AIV", HCCL_EXEC_TIMEOUT=1800)
    assert "does not hold for collectives with HCCL_OP_EXPANSION_MODE AIV" in aiv[0]
    assert "HCCL_WHITELIST_FILE does not name" in warnings(HCCL_WHITELIST_DISABLE=0)[0]


def test_mindspores_log_files_need_a_folder() -> None:
    (warning,) = warnings(framework="mindspore", GLOG_logtostderr=0)
    assert "GLOG_log_dir does not say where" in warning, "the shell may"
    assert warnings(framework="mindspore", GLOG_logtostderr=0, GLOG_log_dir="{rank_dir}/glog") == ()


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("HCCL_CONNECT_TIMOUT", "HCCL_CONNECT_TIMEOUT"),
        ("HCCL_BUFSIZE", "HCCL_BUFFSIZE"),
        ("MS_NODE_TIMEOUTS", "MS_NODE_TIMEOUT"),
        ("ASCEND_GLOBAL_LOGLEVEL", "ASCEND_GLOBAL_LOG_LEVEL"),
    ],
)
def test_a_likely_typo_is_warned_of(typo: str, meant: str) -> None:
    assert warnings(**{typo: "1"}) == (
        f"env.{typo} is a variable that npu-launch does not know; did you mean {meant}?",
    )


def test_a_path_list_that_hides_what_cann_put_there_is_warned_of() -> None:
    of_cann = HostEnvironment(
        hosts=("a",),
        files=("/cann/set_env.sh",),
        variables=Environment({"ASCEND_HOME_PATH": "/cann"}),
        prepended=Environment({"LD_LIBRARY_PATH": "/cann/lib64"}),
        appended=Environment({"LD_LIBRARY_PATH": "/driver/lib64"}),
    )
    job = recipe(env={"LD_LIBRARY_PATH": "/mine:/cann/lib64", "ASCEND_HOME_PATH": "/other"})
    (warning,) = planned(job, host_environments=(of_cann,)).warnings
    assert warning == "env.LD_LIBRARY_PATH takes the place of what /cann/set_env.sh puts there, and lacks some of it"
    job = recipe(env={"LD_LIBRARY_PATH": "/mine:/cann/lib64:/driver/lib64"})
    assert planned(job, host_environments=(of_cann,)).warnings == ()


def test_variables_that_nobody_knows_are_the_recipes_own() -> None:
    assert (
        warnings(
            MY_TIMEOUT=1,
            MY_RANK_TABLE_FILE="/x",
            WANDB_MODE="offline",
            ASCEND_VISIBLE_DEVICES="0-3",
            HCCL_SOMETHING_NEW=1,
            PATH="/x",
        )
        == ()
    )


@given(st.sampled_from(sorted(CATALOGUE)), st.text(max_size=12), st.sampled_from([A1, A2, A3, "CPU"]))
@settings(max_examples=100, deadline=None)
def test_any_value_of_any_variable_is_taken_or_refused_in_words(name: str, text: str, soc: str) -> None:
    text = text.replace("\0", "").encode(errors="ignore").decode()
    try:
        planned(recipe(env={name: text}), host("a", "10.0.0.1", 0, 1), soc=soc)
    except PlanError as error:
        assert name in error.what
        assert error.expected
