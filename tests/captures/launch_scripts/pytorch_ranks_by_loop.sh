#!/bin/bash
# A process a card, each told its rank: train_full_8p.sh of models that take --local_rank.
source scripts/env_npu.sh
export WORLD_SIZE=8
export MASTER_ADDR=127.0.0.1 MASTER_PORT=23456
export PYTHONPATH=./:$PYTHONPATH
export COMBINED_ENABLE=1

KERNEL_NUM=$(($(nproc)/8))
for RANK_ID in {0..7}
do
    export RANK=$RANK_ID
    PID_START=$((KERNEL_NUM * RANK_ID))
    PID_END=$((PID_START + KERNEL_NUM - 1))
    if [ $(uname -m) = "aarch64" ]; then
        nohup taskset -c $PID_START-$PID_END python3 -u tools/train.py configs/yolox_s.yaml --amp \
            --local_rank $RANK_ID -b 64 > train_$RANK_ID.log 2>&1 &
    else
        nohup python3 -u tools/train.py configs/yolox_s.yaml --amp --local_rank $RANK_ID -b 64 > train_$RANK_ID.log 2>&1 &
    fi
done
wait
