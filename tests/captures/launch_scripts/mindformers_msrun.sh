#!/bin/bash
# msrun for one or several servers: bash scripts/msrun_launcher.sh "run_mindformer.py --config ..." [WORKERS] ...

if [ $# -eq 0 ]; then
    echo "Usage: bash msrun_launcher.sh [EXECUTE_ORDER] [WORKER_NUM] [LOCAL_WORKER] [MASTER_ADDR] [MASTER_PORT] [NODE_RANK]"
    exit 1
fi

EXECUTE_ORDER=$1
WORKER_NUM=8
LOCAL_WORKER=8
MASTER_ADDR="127.0.0.1"
MASTER_PORT=8118
NODE_RANK=0
LOG_DIR="output/msrun_log"
JOIN="False"
CLUSTER_TIME_OUT=7200

if [ $# -ge 2 ]; then
    WORKER_NUM=$2
    LOCAL_WORKER=$2
fi
if [ $# -ge 6 ]; then
    LOCAL_WORKER=$3
    MASTER_ADDR=$4
    MASTER_PORT=$5
    NODE_RANK=$6
    SINGLE_NODE=false
else
    SINGLE_NODE=true
fi

export HCCL_IF_BASE_PORT=30000
export HCCL_BUFFSIZE=200
export MS_ENABLE_LCCL=0
if [[ $MS_MEMORY_POOL_RECYCLE == "" ]]; then
    export MS_MEMORY_POOL_RECYCLE=1
fi

if [ $SINGLE_NODE == true ]; then
    MSRUN_CMD="msrun --worker_num=$WORKER_NUM --local_worker_num=$LOCAL_WORKER \
     --master_port=$MASTER_PORT --log_dir=$LOG_DIR --join=$JOIN --cluster_time_out=$CLUSTER_TIME_OUT"
else
    MSRUN_CMD="msrun --worker_num=$WORKER_NUM --local_worker_num=$LOCAL_WORKER --master_addr=$MASTER_ADDR \
     --master_port=$MASTER_PORT --node_rank=$NODE_RANK --log_dir=$LOG_DIR --join=$JOIN"
fi

ulimit -u unlimited
echo "Running: $MSRUN_CMD $EXECUTE_ORDER"
eval $MSRUN_CMD $EXECUTE_ORDER
