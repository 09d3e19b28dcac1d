#!/bin/bash
# Eight ranks by OpenMPI, on Ascend or GPU.
echo "Please run the script as: "
echo "bash run_distribute_train_mpi.sh DATASET_PATH [DEVICE_NUM]"

DATASET_PATH=$1
DEVICE_NUM=${2:-8}
export GLOG_log_dir=./glog GLOG_logtostderr=0
unset RANK_TABLE_FILE

rm -rf mpi_train
mkdir mpi_train
cd mpi_train

mpirun -n $DEVICE_NUM --allow-run-as-root --output-filename log_output --merge-stderr-to-stdout \
    -mca btl tcp,self -x GLOG_v=2 -x LD_LIBRARY_PATH \
    python ${PWD}/../../train.py --is_distributed=True --device_target="Ascend" \
    --data_dir="${DATASET_PATH}/train" --loss_scale 1024 --no_eval > train.log 2>&1 &
