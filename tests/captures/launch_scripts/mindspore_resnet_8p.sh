#!/bin/bash
# Data parallel training of ResNet on the NPUs of one server, in the style of the MindSpore model zoo.

if [ $# != 3 ] && [ $# != 4 ]
then
  echo "Usage: bash run_distribute_train.sh [RANK_TABLE_FILE] [DATASET_PATH] [CONFIG_PATH] [PRETRAINED_CKPT_PATH](optional)"
  exit 1
fi

get_real_path(){
  if [ "${1:0:1}" == "/" ]; then
    echo "$1"
  else
    echo "$(realpath -m $PWD/$1)"
  fi
}

PATH1=$(get_real_path $1)
PATH2=$(get_real_path $2)
CONFIG_FILE=$(get_real_path $3)

if [ $# == 4 ]
then
  PATH3=$(get_real_path $4)
fi

if [ ! -f $PATH1 ]
then
  echo "error: RANK_TABLE_FILE=$PATH1 is not a file"
  exit 1
fi

if [ ! -d $PATH2 ]
then
  echo "error: DATASET_PATH=$PATH2 is not a directory"
  exit 1
fi

if [ $# == 4 ] && [ ! -f $PATH3 ]
then
  echo "error: PRETRAINED_CKPT_PATH=$PATH3 is not a file"
  exit 1
fi

ulimit -u unlimited
export DEVICE_NUM=8
export RANK_SIZE=8
export RANK_TABLE_FILE=$PATH1
export GLOG_v=3

export SERVER_ID=0
rank_start=$((DEVICE_NUM * SERVER_ID))

for((i=0; i<${DEVICE_NUM}; i++))
do
    export DEVICE_ID=$i
    export RANK_ID=$((rank_start + i))
    rm -rf ./train_parallel$i
    mkdir ./train_parallel$i
    cp ../*.py ./train_parallel$i
    cp *.sh ./train_parallel$i
    cp -r ../src ./train_parallel$i
    cd ./train_parallel$i || exit
    echo "start training for rank $RANK_ID, device $DEVICE_ID"
    env > env.log
    if [ $# == 3 ]
    then
        python train.py --run_distribute=True --device_num=$DEVICE_NUM --data_path=$PATH2 \
            --config_path=$CONFIG_FILE --output_path './output' &> log &
    else
        python train.py --run_distribute=True --device_num=$DEVICE_NUM --data_path=$PATH2 \
            --config_path=$CONFIG_FILE --pre_trained=$PATH3 --output_path './output' &> log &
    fi
    cd ..
done
