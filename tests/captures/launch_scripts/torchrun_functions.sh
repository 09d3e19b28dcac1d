#!/bin/bash
# The launch is in a function, the configuration of a here document, the hosts of a Slurm allocation.
set -euo pipefail

log() {
    echo "[$(date '+%H:%M:%S')] $*" >&2
}

prepare() {
    mkdir -p "$OUT"
    cat > "$OUT/hparams.json" <<JSON
{"lr": ${LR}, "name": "$NAME"}
JSON
}

launch() {
    local nproc=$1; shift
    log "starting $nproc ranks"
    OMP_NUM_THREADS=4 torchrun --standalone --nproc-per-node="$nproc" --max-restarts=2 \
        src/train.py --hparams "$OUT/hparams.json" "$@"
}

NAME='a "quoted" name'
LR=${LR:-3e-4}
OUT=$HOME/runs/$SLURM_JOB_ID
case "${MODE:-train}" in
    train) EXTRA=(--epochs 3 --name "$NAME") ;;
    eval) EXTRA=(--eval-only) ;;
    *) echo "MODE is train or eval" >&2; exit 2 ;;
esac
ulimit -n 65536
prepare
launch 4 "${EXTRA[@]}"
scp -r "$OUT" archive:/runs/
