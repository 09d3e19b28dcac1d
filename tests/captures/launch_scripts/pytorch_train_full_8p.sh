#!/bin/bash
# Full training on 8 devices, in the style of Ascend's model zoo for PyTorch.

Network="ResNet50_for_PyTorch"
export RANK_SIZE=8
batch_size=4096
epochs=90
data_path=""
device_id_list=0,1,2,3,4,5,6,7
RANK_ID_START=0

for para in $*
do
    if [[ $para == --data_path* ]];then
        data_path=`echo ${para#*=}`
    elif [[ $para == --epochs* ]];then
        epochs=`echo ${para#*=}`
    fi
done

if [[ $data_path == "" ]];then
    echo "[Error] para \"data_path\" must be given"
    exit 1
fi

cur_path=`pwd`
cur_path_last_dirname=${cur_path##*/}
if [ x"${cur_path_last_dirname}" == x"test" ];then
    test_path_dir=${cur_path}
    cd ..
    cur_path=`pwd`
else
    test_path_dir=${cur_path}/test
fi

ASCEND_DEVICE_ID=0
if [ -d ${test_path_dir}/output/${ASCEND_DEVICE_ID} ];then
    rm -rf ${test_path_dir}/output/${ASCEND_DEVICE_ID}
    mkdir -p ${test_path_dir}/output/$ASCEND_DEVICE_ID
else
    mkdir -p ${test_path_dir}/output/$ASCEND_DEVICE_ID
fi

start_time=$(date +%s)
check_etp_flag=`env | grep etp_running_flag`
etp_flag=`echo ${check_etp_flag#*=}`
if [ x"${etp_flag}" != x"true" ];then
    source ${test_path_dir}/env_npu.sh
fi

export HCCL_WHITELIST_DISABLE=1
export TASK_QUEUE_ENABLE=1
export MASTER_ADDR=127.0.0.1
export MASTER_PORT=29688

nohup python3.7 -u ./main.py \
    --data_path ${data_path} \
    --addr=$(hostname -I |awk '{print $1}') \
    --seed=49 \
    --workers=184 \
    --learning-rate=1.6 \
    --warmup=8 \
    --mom=0.9 \
    --weight-decay=1.0e-04 \
    --print-freq=1 \
    --dist-url='tcp://127.0.0.1:50000' \
    --multiprocessing-distributed \
    --world-size=1 \
    --rank=0 \
    --device-list=$device_id_list \
    --epochs=${epochs} \
    --batch-size=${batch_size} > ${test_path_dir}/output/${ASCEND_DEVICE_ID}/train_${ASCEND_DEVICE_ID}.log 2>&1 &

wait

end_time=$(date +%s)
e2e_time=$(( $end_time - $start_time ))
FPS=`grep -a 'FPS'  ${test_path_dir}/output/${ASCEND_DEVICE_ID}/train_${ASCEND_DEVICE_ID}.log|awk -F " " '{print $NF}'|awk 'END {print}'`
echo "Final Performance images/sec : $FPS"
echo "E2E Training Duration sec : $e2e_time"
