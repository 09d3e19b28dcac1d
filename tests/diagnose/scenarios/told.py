"""Failures of jobs with several ranks, each with the rank and the cause that are at the root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.diagnose.scenarios import said
from tests.diagnose.scenarios.job import Job, Layout, by_host, one_folder_each, one_output, plogs_alone, torchrun, write


class Scenario(NamedTuple):
    """A job that fails, how its logs lie, and what is at the root; `causes` are those that say the same."""

    name: str
    tell: Callable[[], Job]
    layout: Layout
    rank: int | None
    causes: tuple[str, ...]


SCENARIOS: list[Scenario] = []


def scenario(
    rank: int | None, *causes: str, layout: Layout = one_folder_each
) -> Callable[[Callable[[], Job]], Callable[[], Job]]:
    def keep(tell: Callable[[], Job]) -> Callable[[], Job]:
        SCENARIOS.append(Scenario(tell.__name__, tell, layout, rank, causes))
        return tell

    return keep


def others_wait(job: Job, rank: int, seconds: float = 1900) -> Job:
    for other in job.ranks:
        if other != rank:
            said.notify_timeout(job, other, seconds + 0.02 * other, rank)
    return job


# Memory, tracebacks and kernels of one rank, which the others wait for.


@scenario(3, "device_oom")
def out_of_memory_on_one_rank_of_eight() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    return others_wait(job, 3)


@scenario(3, "device_oom", layout=by_host)
def out_of_memory_in_a_folder_of_a_host() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    return others_wait(job, 3)


@scenario(3, "device_oom", layout=torchrun)
def out_of_memory_under_torchrun() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    said.elastic_report(job, 3, 1)
    return others_wait(job, 3)


@scenario(11, "device_oom", layout=torchrun)
def out_of_memory_under_torchrun_on_the_second_host() -> Job:
    job = Job(16).starts()
    said.out_of_memory(job, 11, 40)
    return others_wait(job, 11)


@scenario(3, "device_oom", layout=one_output)
def out_of_memory_in_one_output_of_all_ranks() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    return others_wait(job, 3)


@scenario(3, "device_oom", layout=plogs_alone)
def out_of_memory_with_plogs_alone() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    return others_wait(job, 3)


@scenario(2, "user_code_error", "dataset_error", "user_config_error")
def a_python_error_of_one_rank_outranks_the_timeouts_of_the_others() -> Job:
    job = Job().starts()
    said.traceback(job, 2)
    return others_wait(job, 2)


@scenario(5, "aicore_exception")
def an_ai_core_exception_of_one_rank() -> Job:
    job = Job().starts()
    said.aicore_exception(job, 5, 40)
    said.acl_error(job, 5, 40.5, "507015")
    return others_wait(job, 5)


@scenario(6, "device_oom")
def an_error_that_came_before_another_of_the_same_kind() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 6, 40)
    said.out_of_memory(job, 1, 55)
    return job


@scenario(6, "device_oom")
def a_kernel_that_failed_after_its_rank_had_waited_in_vain() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 6, 1850)
    said.notify_timeout(job, 2, 1840, 6)
    said.aicore_exception(job, 2, 1848)
    return job


@scenario(4, "device_oom")
def a_copy_that_failed_because_the_memory_of_its_peer_was_gone() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 4, 41)
    job.out(
        1,
        f"EI0012: [PID: {job.pid(1)}] {job.stamp(1, 40.5)} SDMA memory copy task exception occurred. Remote rank: [4]. "
        "Base information: [streamID:[351], taskID[5], taskType[Memcpy], tag[AllReduce_1], AlgType:[ring].]",
    )
    return job


@scenario(0, "missing_python_package", layout=by_host)
def the_same_error_on_every_rank_is_told_of_the_first() -> Job:
    job = Job().starts(joined=False)
    for rank in job.ranks:
        said.traceback(job, rank, "ModuleNotFoundError: No module named 'einops'")
    return job


# Processes that were killed, or ended without a word.


@scenario(3, "host_oom")
def the_kernel_killed_a_rank_that_its_pid_tells() -> Job:
    job = Job().starts()
    said.kernel_kills(job, "node-1", 40, job.pid(3))
    return others_wait(job, 3)


@scenario(12, "host_oom", layout=by_host)
def the_kernel_of_the_second_host_killed_a_rank() -> Job:
    job = Job(16).starts()
    said.kernel_kills(job, "node-2", 40, job.pid(12))
    return others_wait(job, 12)


@scenario(3, "host_oom", "worker_killed", layout=torchrun)
def torchrun_tells_of_a_kill() -> Job:
    job = Job().starts()
    said.elastic_report(job, 3, -9)
    return others_wait(job, 3)


@scenario(5, "host_oom", "peer_rank_exited")
def a_kill_with_the_pid_of_another_namespace() -> Job:
    job = Job().starts()
    said.kernel_kills(job, "node-1", 40, 991234)
    return others_wait(job, 5)


@scenario(2, "device_oom")
def a_kill_of_another_program_is_not_the_root() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 2, 40)
    said.kernel_kills(job, "node-1", 20, 991234, "mysqld")
    return others_wait(job, 2)


@scenario(7, "peer_rank_exited", "hccl_notify_wait_timeout")
def a_silent_death() -> Job:
    return others_wait(Job().starts(), 7)


@scenario(7, "native_crash")
def mpirun_tells_of_a_segmentation_fault() -> Job:
    job = Job().starts()
    job.others["mpirun.log"].append(
        f"mpirun noticed that process rank 7 with PID {job.pid(7)} on node node-1 exited on signal 11 (Segmentation "
        "fault)."
    )
    return others_wait(job, 7)


@scenario(4, "peer_rank_exited", "scheduler_node_timeout")
def the_scheduler_lost_a_worker() -> Job:
    job = Job().starts()
    said.scheduler_lost(job, 4)
    return job


# Ranks that are asked for.


@scenario(5, "hccl_notify_wait_timeout", "peer_rank_exited")
def a_rank_without_a_log_that_all_others_ask_for() -> Job:
    job = others_wait(Job().starts(), 5)
    job.absent = {5}
    return job


@scenario(1, "hccl_connect_timeout")
def a_rank_without_a_log_that_did_not_connect() -> Job:
    job = Job().starts(joined=False)
    for rank in (0, 2, 3, 4, 5, 6, 7):
        said.link_timeout(job, rank, 125, 1)
    job.absent = {1}
    return job


@scenario(6, "hccl_notify_wait_timeout", "peer_rank_exited")
def a_chain_of_waiting_is_walked_to_its_end() -> Job:
    job = Job().starts()
    for rank in (7, 0, 1, 2, 3, 4, 5):
        said.notify_timeout(job, rank, 1900, (rank - 1) % 8)
    return job


@scenario(3, "hccl_notify_wait_timeout", "peer_rank_exited")
def a_ring_in_which_one_rank_is_missing() -> Job:
    job = Job(16).starts()
    for rank in range(4, 19):
        said.notify_timeout(job, rank % 16, 1900 + rank * 0.01, (rank - 1) % 16)
    job.absent = {3}
    return job


@scenario(9, "hccl_connect_timeout", layout=by_host)
def a_rank_that_began_too_late() -> Job:
    job = Job(16)
    job.starts([rank for rank in job.ranks if rank != 9], joined=False)
    job.enters(9, 118)
    for rank in job.ranks:
        if rank != 9:
            said.link_timeout(job, rank, 121, 9)
    return job


@scenario(0, "hccl_exec_timeout_slow_rank", "hccl_notify_wait_timeout")
def a_rank_that_evaluates_for_longer_than_the_others_wait() -> Job:
    job = Job().starts()
    for rank in range(1, 8):
        said.notify_timeout(job, rank, 1900, 0)
    job.trains(0, 30, 1960)
    return job


@scenario(6, "hccl_notify_wait_timeout", "peer_rank_exited")
def numbers_in_a_smaller_communicator_are_told_from_ranks_of_the_job() -> Job:
    job = Job().starts()
    for number, rank in enumerate((0, 2, 4)):
        said.notify_timeout(job, rank, 1900, 3, group="group_name_17", own=number, size=4)
    return job


@scenario(12, "hccl_connect_timeout", layout=by_host)
def one_rank_of_sixteen_is_asked_for_by_those_of_the_other_host() -> Job:
    job = Job(16).starts(joined=False)
    for rank in range(8):
        said.link_timeout(job, rank, 121, 12)
    job.absent = {12}
    return job


# Heartbeats.


@scenario(5, "peer_rank_exited")
def heartbeats_name_the_lost_rank() -> Job:
    job = Job().starts()
    for rank in job.ranks:
        if rank != 5:
            said.heartbeat(job, rank, 80, 5, 4)
            said.notify_timeout(job, rank, 1900, "unknown")
    return job


@scenario(13, "peer_rank_exited", layout=by_host)
def the_cluster_exception_names_a_rank_of_another_host() -> Job:
    job = Job(16).starts()
    for rank in job.ranks:
        if rank != 13:
            said.exception_location(job, rank, 90, 13, 12)
            said.notify_timeout(job, rank, 1900, "unknown")
    return job


@scenario(2, "peer_rank_stuck")
def a_stuck_rank() -> Job:
    job = Job().starts()
    for rank in job.ranks:
        if rank != 2:
            said.exception_location(job, rank, 90, 2, 1, "Stuck Occurred")
    return job


@scenario(5, "peer_rank_exited")
def one_log_that_names_a_lost_rank_is_enough() -> Job:
    job = Job().starts([0], joined=True)
    said.heartbeat(job, 0, 80, 5, 4)
    said.notify_timeout(job, 0, 1900, 5)
    job.absent = {1, 2, 3, 4, 5, 6, 7}
    return job


@scenario(9, "roce_link_error", "peer_rank_exited", layout=by_host)
def a_link_whose_other_end_is_gone() -> Job:
    job = Job(16).starts()
    said.cqe_error(job, 1, 60, 9)
    said.cqe_error(job, 2, 60, 9)
    job.absent = {9}
    return job


@scenario(4, "device_oom")
def the_lost_rank_says_itself_why() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 4, 41)
    for rank in (0, 1, 2, 3, 5, 6, 7):
        said.heartbeat(job, rank, 80, 4, 3)
    return job


# The exchange with the root.


@scenario(1, "hccl_init_timeout")
def ranks_that_the_root_does_not_list() -> Job:
    job = Job().starts([0, 2, 4, 6], joined=False)
    said.root_misses(job, 0, 121, [0, 2, 4, 6])
    job.absent = {1, 3, 5, 7}
    return job


@scenario(10, "hccl_init_timeout", layout=by_host)
def three_ranks_never_reached_the_root() -> Job:
    job = Job(16)
    came = [rank for rank in job.ranks if rank not in (10, 13, 15)]
    job.starts(came, joined=False)
    said.root_misses(job, 0, 121, came)
    for rank in came[1:]:
        said.root_not_reached(job, rank, 122)
    job.absent = {10, 13, 15}
    return job


@scenario(3, "user_code_error", "dataset_error", "user_config_error")
def a_rank_that_the_root_misses_says_why_it_did_not_come() -> Job:
    job = Job()
    came = [rank for rank in job.ranks if rank != 3]
    job.starts(came, joined=False)
    said.traceback(job, 3)
    said.root_misses(job, 0, 121, came)
    return job


@scenario(6, "hccl_init_timeout", "hccl_connect_timeout")
def a_rank_that_did_not_join_the_communicator() -> Job:
    job = Job().starts([rank for rank in range(8) if rank != 6], joined=False)
    for rank in (1, 2, 3, 4, 5, 7):
        said.root_not_reached(job, rank, 121)
    job.absent = {6}
    return job


# Ranks that differ.


@scenario(6, "tls_mismatch")
def one_rank_has_tls_switched_on() -> Job:
    job = Job().starts(joined=False)
    for rank in job.ranks:
        job.hccl(rank, 2, "hccp_common.cc:88", f"TLS SWITCH ({int(rank == 6)})", "EVENT")
        said.link_timeout(job, rank, 121, 6 if rank != 6 else 0)
    return job


@scenario(9, "tls_mismatch", layout=by_host)
def the_root_lists_who_has_tls() -> Job:
    job = Job(16).starts(joined=False)
    disabled = ",".join(f"[{job.node(rank)}]" for rank in job.ranks if rank != 9)
    for rank in job.ranks:
        job.hccl(
            rank,
            3,
            "topoinfo_exchange_agent.cc:831",
            '[InitGroupStage][RanktableCheck] Value Disable for config "tls" is invalid. Expected Value:"All ranks are '
            f"consistent. Current status : rankList for enabled tls:[{job.node(9)}]; rankList for disabled "
            f"tls:{disabled}; "
            'rankList for query failure tls:".;',
        )
    return job


@scenario(5, "hccl_param_mismatch")
def one_rank_calls_another_operator() -> Job:
    job = Job().starts()
    for rank in job.ranks:
        said.notify_timeout(job, rank, 1900, (rank - 1) % 8, op="AllGather" if rank == 5 else "AllReduce")
    return job


@scenario(2, "hccl_param_mismatch")
def one_rank_is_a_collective_behind() -> Job:
    job = Job().starts()
    for rank in job.ranks:
        said.notify_timeout(job, rank, 1900, (rank + 1) % 8, index=20 if rank == 2 else 21)
    return job


@scenario(7, "hccl_param_mismatch")
def one_rank_sends_another_count() -> Job:
    job = Job().starts()
    for rank in job.ranks:
        said.notify_timeout(job, rank, 1900, (rank + 1) % 8, count=128 if rank == 7 else 256)
    return job


# Clocks, damaged and large logs, restarts.


@scenario(3, "device_oom", layout=by_host)
def the_cause_is_found_though_a_hosts_clock_is_behind() -> Job:
    job = Job(16, behind={"node-2": 3600}).starts()
    said.out_of_memory(job, 3, 40)
    return others_wait(job, 3)


@scenario(3, "device_oom", layout=by_host)
def clocks_are_compared_by_the_joining_of_the_communicator() -> Job:
    job = Job(16, behind={"node-2": 600}).starts()
    said.out_of_memory(job, 3, 40)
    said.aicore_exception(job, 9, 100)
    return job


@scenario(2, "device_oom")
def bytes_that_are_no_utf_8() -> Job:
    job = Job().starts()
    job.out(2, "\udcff\udcfe\udc80 garbled \udcc3(", "内存不足".encode("gbk").decode("utf-8", "surrogateescape"))
    said.out_of_memory(job, 2, 40)
    job.out(2, "\udcff\udcfe\udc80 garbled \udcc3(")
    return others_wait(job, 2)


def rotated(job: Job, folder: Path) -> None:
    """Rank 3's plog in ten files, of which the fifth has the error."""
    one_folder_each(job, folder)
    whole = next(folder.glob("rank_3/debug/plog/*.log"))
    lines = whole.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if "halMemAlloc" in line)
    whole.unlink()
    parts = [lines[:at], *[[] for _ in range(9)]]
    parts[4] = lines[at:]
    for number, part in enumerate(parts):
        filler = [line.replace("[EVENT]", "[INFO]") for line in lines[:1]] * 50
        write(whole.with_name(f"plog-{job.pid(3)}_2025102817451{number}679.log"), [*filler, *part, *filler])


@scenario(3, "device_oom", layout=rotated)
def ten_rotated_plogs_with_the_error_in_the_fifth() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    job.outputs[3] = []
    return others_wait(job, 3)


@scenario(4, "device_oom")
def a_storm_of_errors_on_every_rank() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 4, 40)
    others_wait(job, 4)
    for rank in job.ranks:
        for turn in range(1500):
            place = "task_exception_handler.cc:908"
            words = f"Task run failed, base information is streamID:[2], taskID[{turn}], tag[AllReduce_{said.TAG}]"
            job.hccl(rank, 1901 + 0.001 * turn, place, f"[TaskExecStage][Timeout][Host]{words}.")
    return job


@scenario(6, "device_oom")
def a_process_that_began_again_by_itself_is_judged_by_its_last_life() -> Job:
    job = Job().starts()
    said.out_of_memory(job, 1, 40)
    job.starts(group="hccl_world_group_again", begin=300)
    said.out_of_memory(job, 6, 400)
    return others_wait(job, 6, 2300)


@scenario(3, "device_oom", layout=by_host)
def a_healthy_host_beside() -> Job:
    job = Job(24).starts()
    said.out_of_memory(job, 3, 40)
    for rank in (0, 1, 2, 4, 5, 6, 7):
        said.notify_timeout(job, rank, 1900, 3)
    return job
