"""What CANN, HCCL, torch_npu, MindSpore, launchers and the kernel say of faults, in their own formats.

Sources: facts/logs.md, facts/error_codes.md, facts/fault_signatures.md, facts/mindspore_cpu.md.
"""

from __future__ import annotations

from tests.diagnose.scenarios.job import Job

TAG = "127.10.0.1%enp_60000_0_1761275812718970"
_ADVICE = "\tPossible Cause: 1. An exception occurs during the execution on some NPUs in the cluster."


def notify_timeout(
    job: Job,
    rank: int,
    seconds: float,
    peer: int | str,
    *,
    group: str = "hccl_world_group",
    own: int | None = None,
    size: int | None = None,
    op: str = "AllReduce",
    index: int = 21,
    count: int = 256,
) -> None:
    """A collective waited for a peer until HCCL_EXEC_TIMEOUT: three lines of its plog, and a block on its output."""
    own = rank if own is None else own
    size = job.world if size is None else size
    failed = "[TaskExecStage][Timeout][Host]Task run failed, "
    place = "task_exception_handler.cc:908"
    job.hccl(
        rank,
        seconds,
        place,
        f"{failed}base information is streamID:[2], taskID[21], tag[{op}_{TAG}], "
        "AlgType(level 0-1-2):[fullmesh-ring-NHR].",
    )
    group_words = f"group:[{group}], user define information[], rankSize[{size}], rankId[{own}]"
    job.hccl(rank, seconds, place, f"{failed}groupRank information is {group_words}.")
    job.hccl(
        rank,
        seconds,
        place,
        f"{failed}opData information is timeStamp:[{job.stamp(rank, seconds - 1836)}], deviceId[{job.device(rank)}], "
        f"index[{index}], count[{count}], reduceType[sum], src[0x12c0c0013000], dst[0x12c0c0014000], "
        "dataType[float32].",
    )
    job.out(
        rank,
        f"EI0002: [PID: {job.pid(rank)}] {job.stamp(rank, seconds)} The wait execution of the Notify register times "
        f"out. Reason: The Notify register has not received the Notify record from remote rank [{peer}]. base "
        f"information: [streamID:[2], taskID[21], taskType[Notify Wait], tag[{op}_{TAG}], "
        f"AlgType(level 0-1-2):[fullmesh-ring-NHR].] task information: [notify id:[0x0000000000000213], stage:[0], "
        f"remote rank:[{peer}]]. "
        f"group information: [{group_words}]",
        _ADVICE,
    )
    acl_error(job, rank, seconds, "507048")


def acl_error(job: Job, rank: int, seconds: float, code: str) -> None:
    """What torch_npu says after any failed call."""
    job.out(
        rank,
        "RuntimeError: ACL stream synchronize failed, error code:" + code,
        f"[ERROR] {job.stamp(rank, seconds)[:19]} (PID:{job.pid(rank)}, Device:{job.device(rank)}, RankID:{rank}) "
        "ERR00100 PTA call acl api failed.",
    )


def link_timeout(
    job: Job, rank: int, seconds: float, peer: int, *, own: int | None = None, tls: str = "DISABLE"
) -> None:
    """A link to a peer was not made in time."""
    own = rank if own is None else own
    place = "hccl_socket_manager.cc:797"
    job.hccl(
        rank, seconds, place, f"[Wait][LinkEstablish]wait socket establish timeout, role[1] rank[{own}] timeout[120 s]"
    )
    job.hccl(rank, seconds, place, "   _________________________LINK_ERROR_INFO___________________________")
    job.hccl(
        rank,
        seconds,
        place,
        "   |  dest_ip(user_rank)  |   dest_port   |  src_ip(user_rank)   |   src_port   |   MyRole   |   Status   |"
        "    TlsStatus   |",
    )
    job.hccl(
        rank,
        seconds,
        place,
        f"   |  124.0.0.{peer}({peer})  |  16666  |   124.0.0.{rank}({own})   |  344835272  |  client  | time out |"
        f"   {tls}  |",
    )
    job.hccl(
        rank,
        seconds,
        "transport_manager.cc:882",
        f"Transport init error! createLink para:rank[{own}]-localUserrank[{own}]-localIpAddr[{job.node(rank)}], "
        f"remoteRank[{peer}]-remoteUserrank[{peer}]-remote_ip_addr[124.0.0.{peer}]",
    )
    job.out(
        rank,
        f"EI0006: [PID: {job.pid(rank)}] {job.stamp(rank, seconds)} Getting socket times out. Reason: Remote Rank did "
        "not send the data in time. Please check the reason for the rank being stuck",
    )


def root_misses(job: Job, root: int, seconds: float, connected: list[int], timeout: int = 120) -> None:
    """The root server did not see all ranks, and lists those that it saw."""
    stage = "[InitGroupStage][RanktableDetect]"
    place = "topoinfo_exchange_server.cc:314"
    job.hccl(root, seconds, place, f"{stage}topo exchange server get socket timeout! timeout[{timeout} s]")
    job.hccl(root, seconds, place, f"{stage}need connect rankNum is [{job.world}]")
    for line in range(0, len(connected), 8):
        listed = ",".join(f"[{rank:016d}]" for rank in connected[line : line + 8])
        job.hccl(
            root,
            seconds,
            "topoinfo_exchange_server.cc:517",
            f"[InitGroupStage][DisplayConnectionedRank]connected rankinfo[LINE {line // 8}]: {listed};",
        )


def root_not_reached(job: Job, rank: int, seconds: float, timeout: int = 120) -> None:
    """A rank could not reach the root server."""
    job.hccl(
        rank,
        seconds,
        "topoinfo_exchange_agent.cc:190",
        f"[InitGroupStage][RanktableDetect]topo exchange agent get socket timeout! timeout[{timeout}]",
    )


def heartbeat(job: Job, rank: int, seconds: float, crimer: int, informer: int, status: str = "LOST") -> None:
    """The run log's line on a rank whose heartbeat is lost, that is stuck, or whose link broke."""
    job.hccl(
        rank,
        seconds,
        "heartbeat.cc:951",
        f"[TaskExecStage][HeartbeatAbnormal]local rank [{job.node(rank)}]: crimer rank [{job.node(crimer)}] "
        f"status[{status}] by informer rank [{job.node(informer)}]",
    )


def exception_location(
    job: Job, rank: int, seconds: float, whom: int, by: int, what: str = "Heartbeat Lost Occurred"
) -> None:
    job.hccl(
        rank,
        seconds,
        "task_exception_handler.cc:610",
        f"[TaskExecStage][HeartbeatAbnormal]Cluster Exception Location[IP/ID]:[{job.node(whom)}], Arrival Time:"
        f"[Tue Oct 28 18:05:58 2025], Discoverer:[{job.node(by)}], ExceptionType:[{what}], Possible Reason:"
        "1. Process has exited, 2. Network Disconnected",
    )


def cqe_error(job: Job, rank: int, seconds: float, peer: int) -> None:
    def side(of: int) -> str:
        return f"{{server[{job.address(of)}],deviceId[{job.device(of)}],deviceIp[124.0.0.{of}]}}"

    job.hccl(
        rank,
        seconds,
        "heartbeat.cc:1229",
        "[TaskExecStage][HeartbeatAbnormal][ROCE CQE ERROR]cqe error status[12], time:[2025-10-28 18:05:12.776654],"
        f"localInfo{side(rank)}, remoteIP{side(peer)}",
    )


def out_of_memory(job: Job, rank: int, seconds: float) -> None:
    """Device memory is used up: torch_npu's sentence, and the driver's in the plog."""
    job.cann(
        rank,
        seconds,
        "ERROR",
        "RUNTIME",
        "npu_driver.cc:1100",
        f"DevMemAllocHugePageManaged:[INIT][DEFAULT][drv api] halMemAlloc failed:size=5400166400(Byte), type=2, "
        f"moduleId=7, drvFlag=1, drvRetCode=6, device_id={job.device(rank)}!",
    )
    job.out(
        rank,
        "Traceback (most recent call last):",
        '  File "/job/train.py", line 88, in <module>',
        "    loss.backward()",
        f"RuntimeError: NPU out of memory. Tried to allocate 5.03 GiB (NPU {job.device(rank)}; 60.96 GiB total "
        "capacity; 57.49 GiB already allocated; 57.49 GiB current active; 1.32 GiB free; 58.55 GiB reserved in total "
        "by PyTorch)",
    )


def traceback(job: Job, rank: int, error: str = "KeyError: 'pixel_values'") -> None:
    job.out(
        rank,
        "Traceback (most recent call last):",
        '  File "/job/train.py", line 41, in <module>',
        "    main()",
        '  File "/job/data.py", line 17, in collate',
        "    return batch['pixel_values']",
        error,
    )


def aicore_exception(job: Job, rank: int, seconds: float) -> None:
    job.cann(
        rank,
        seconds,
        "ERROR",
        "RUNTIME",
        "device_error_proc.cc:1408",
        "ProcessStarsCoreErrorInfo:The extend info: errcode:(0x800000, 0, 0) errorStr: The DDR address of the MTE "
        "instruction is out of range. fixp_error0 info: 0x3029040, fault kernel_name=GatherV2_a1b2_1, core id 12",
    )
    job.cann(
        rank,
        seconds,
        "ERROR",
        "RUNTIME",
        "task_info.cc:1170",
        f"PrintErrorInfo:Aicore kernel execute failed, device_id={job.device(rank)}, stream_id=3, report_stream_id=3, "
        "task_id=40, flip_num=0, fault kernel_name=GatherV2_a1b2_1, fault kernel info ext=none, program id=14.",
    )


def kernel_kills(job: Job, host: str, seconds: float, pid: int, process: str = "python") -> None:
    """The kernel ends a process for want of memory, as `dmesg -T` prints it."""
    when = job.stamp(job.hosts.index(host) * job.per_host, seconds)
    clock = f"[Tue Oct 28 {when[11:19]} 2025]"
    job.others[f"{host}/dmesg.log" if len(job.hosts) > 1 else "dmesg.log"] += [
        f"{clock} {process} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        f"{clock} Out of memory: Killed process {pid} ({process}) total-vm:98123456kB, anon-rss:61234567kB, "
        "file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:120000kB oom_score_adj:0",
    ]


def elastic_report(job: Job, rank: int, code: int) -> None:
    """What torchrun's agent says of the first worker that failed."""
    signal = f"Signal {-code} (SIGKILL) received by PID {job.pid(rank)}" if code == -9 else "To enable traceback see"
    job.others["torchrun.log"] += [
        f"E1028 18:00:00.000000 281473 torch/distributed/elastic/multiprocessing/api.py:826] failed (exitcode: {code}) "
        f"local_rank: {job.device(rank)} (pid: {job.pid(rank)}) of binary: /usr/bin/python3",
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:",
        "Root Cause (first observed failure):",
        "[0]:",
        "  time      : 2025-10-28_18:00:00",
        f"  host      : {job.host(rank)}",
        f"  rank      : {rank} (local_rank: {job.device(rank)})",
        f"  exitcode  : {code} (pid: {job.pid(rank)})",
        "  error_file: <N/A>",
        f"  traceback : {signal}",
    ]


def scheduler_lost(job: Job, rank: int) -> None:
    """MindSpore's scheduler gave up on a node."""
    job.others["scheduler.log"] += [
        "[WARNING] DISTRIBUTED(39001,ffff8bfff1e0,python):2025-10-28-18:05:00.100.100 "
        "[mindspore/ccsrc/distributed/cluster/topology/meta_server_node.cc:511] UpdateTopoState] "
        f"The node: {rank} is timed out. It may exit with exception, please check this node's log.",
        "[ERROR] DISTRIBUTED(39001,ffff8bfff1e0,python):2025-10-28-18:05:00.100.200 "
        "[mindspore/ccsrc/distributed/cluster/topology/meta_server_node.cc:103] Finalize] The total number of timed "
        f"out node is 1. Timed out node list is: [const vector]{{{rank}}}, worker {rank} is the first one timed out",
    ]
