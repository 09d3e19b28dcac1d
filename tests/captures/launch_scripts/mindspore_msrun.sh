#!/bin/bash
set -e
source /usr/local/Ascend/ascend-toolkit/set_env.sh
export ASCEND_HOME_PATH=/usr/local/Ascend/ascend-toolkit/latest
export MS_DEV_RUNTIME_CONF="memory_statistics:True"
rm -rf msrun_log
mkdir msrun_log

msrun --worker_num=8 --local_worker_num=8 --master_addr=127.0.0.1 --master_port=10969 \
      --join=True --log_dir=./msrun_log --cluster_time_out=300 --bind_core=True \
      net.py --batch_size 32 --layers 3 4 6 3 --name 'res net' -O2
status=$?
if [ $status -ne 0 ]; then
    echo "failed"
    exit $status
fi
python evaluate.py --checkpoint ckpt/last.ckpt
