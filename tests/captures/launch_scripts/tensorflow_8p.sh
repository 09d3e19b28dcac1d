#!/bin/bash
# TensorFlow 1.15 on 8 devices, in the style of Ascend's model zoo.
cur_path=`pwd`
export JOB_ID=10087
export RANK_SIZE=8
export RANK_TABLE_FILE=${cur_path}/8p.json
export ASCEND_GLOBAL_LOG_LEVEL=3
export ASCEND_SLOG_PRINT_TO_STDOUT=0
RANK_ID_START=0
train_steps=110000
data_path="/root/imagenet"
precision_mode="allow_mix_precision"

if [[ $1 == --help || $1 == -h ]];then
    echo "usage: ./train_full_8p.sh <args>"
    exit 1
fi

for para in "$@"
do
    case $para in
        --data_path=*) data_path=${para#*=} ;;
        --train_steps=*) train_steps=${para#*=} ;;
    esac
done

cd $cur_path/../
for((RANK_ID=$RANK_ID_START;RANK_ID<$((RANK_SIZE+RANK_ID_START));RANK_ID++));
do
    echo "Device ID: $RANK_ID"
    export RANK_ID=$RANK_ID
    ASCEND_DEVICE_ID=$RANK_ID
    export DEVICE_ID=$RANK_ID DEVICE_INDEX=$RANK_ID
    export ASCEND_DEVICE_ID
    if [ -d ${cur_path}/output/${ASCEND_DEVICE_ID} ];then
        rm -rf ${cur_path}/output/${ASCEND_DEVICE_ID}
    fi
    mkdir -p ${cur_path}/output/${ASCEND_DEVICE_ID}/ckpt
    nohup python3.7 ./official/r1/resnet/imagenet_main.py \
        --resnet_size=50 \
        --batch_size=256 \
        --max_train_steps=${train_steps} \
        --data_dir=${data_path} \
        --precision_mode=$precision_mode \
        --rank_id=$RANK_ID \
        --model_dir=${cur_path}/output/${ASCEND_DEVICE_ID}/ckpt > ${cur_path}/output/${ASCEND_DEVICE_ID}/train.log 2>&1 &
done
wait
