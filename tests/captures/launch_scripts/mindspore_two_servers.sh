#!/usr/bin/env bash
# One of two servers: bash run_distribute_train_16p.sh hccl_16p.json /data/coco 0, and 1 on the other.
if [ $# -lt 3 ]; then
    echo "Usage: bash run_distribute_train_16p.sh RANK_TABLE DATA SERVER_ID"
    exit 1
fi

RANK_TABLE=$1
DATA=$2
SERVER_ID=$3

BASE_PATH=$(cd "$(dirname "$0")" || exit; pwd)
core_num=`cat /proc/cpuinfo | grep "processor" | wc -l`
DEVICE_NUM=8
export RANK_SIZE=16
export RANK_TABLE_FILE=$(realpath $RANK_TABLE)
export HCCL_CONNECT_TIMEOUT=600
rank_start=$((DEVICE_NUM * SERVER_ID))
cores=$((core_num / DEVICE_NUM))

for i in $(seq 0 $((DEVICE_NUM - 1))); do
    export RANK_ID=$((rank_start + i))
    export DEVICE_ID=$i
    workdir=$BASE_PATH/train_parallel$RANK_ID
    rm -rf $workdir && mkdir -p $workdir
    cp -r ${BASE_PATH}/../src ${BASE_PATH}/../train.py ${BASE_PATH}/../default_config.yaml $workdir
    cd $workdir
    start=$((i * cores))
    end=$((start + cores - 1))
    taskset -c ${start}-${end} nohup python3.9 -u train.py \
        --config_path default_config.yaml \
        --data_path "$DATA" \
        --device_id $DEVICE_ID \
        --rank_id=$RANK_ID \
        --group_size $RANK_SIZE \
        --save_dir ckpt_$RANK_ID \
        --lr 0.05 > train_$RANK_ID.log 2>&1 &
    cd $BASE_PATH
done
wait
