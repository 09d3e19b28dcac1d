#!/bin/bash
# Pre-training of a GPT model with Megatron on two servers of 8 NPUs, in the style of MindSpeed's examples.
export CUDA_DEVICE_MAX_CONNECTIONS=1
export PYTORCH_NPU_ALLOC_CONF=expandable_segments:True
source /usr/local/Ascend/ascend-toolkit/set_env.sh

NPUS_PER_NODE=8
MASTER_ADDR=10.0.0.10
MASTER_PORT=6000
NNODES=2
NODE_RANK=0
WORLD_SIZE=$(($NPUS_PER_NODE*$NNODES))

CHECKPOINT_PATH=./ckpt
VOCAB_FILE="your vocab file path"
DATA_PATH=/data/alpaca_text_document

TP=2
PP=4

DISTRIBUTED_ARGS=(
    --nproc_per_node $NPUS_PER_NODE
    --nnodes $NNODES
    --node_rank $NODE_RANK
    --master_addr $MASTER_ADDR
    --master_port $MASTER_PORT
)

GPT_ARGS="
    --tensor-model-parallel-size ${TP} \
    --pipeline-model-parallel-size ${PP} \
    --sequence-parallel \
    --num-layers 8 \
    --hidden-size 4096 \
    --micro-batch-size 2 \
    --global-batch-size 16 \
    --lr 1.0e-6 \
    --train-iters 1000 \
    --bf16
"

DATA_ARGS="
    --data-path $DATA_PATH \
    --split 949,50,1
"

OUTPUT_ARGS="
    --log-interval 1 \
    --save-interval 1000
"

torchrun ${DISTRIBUTED_ARGS[@]} pretrain_gpt.py \
    $GPT_ARGS \
    $DATA_ARGS \
    $OUTPUT_ARGS \
    --vocab-file "$VOCAB_FILE" \
    --distributed-backend nccl \
    --save $CHECKPOINT_PATH \
    | tee logs/train_gpt.log
