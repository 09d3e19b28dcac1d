#!/bin/sh
# Four independent trainings, a seed each, then a look at their logs.
N=4
i=0
while [ $i -lt $N ]; do
    ASCEND_RT_VISIBLE_DEVICES=$i SEED=$((1000 + i)) DATA=/data/cifar10 ./fit.sh --seed $((1000 + i)) --out out/seed_$i > seed_$i.log 2>&1 &
    pids="$pids $!"
    i=$((i + 1))
done
for pid in $pids; do
    wait $pid || failed=1
done
tail -n 1 seed_*.log
exit ${failed:-0}
