#!/bin/bash
# A share of the photos for each task of a Slurm array:
#   PHOTOS=/archive/photos OUTPUT=/archive/out/ sbatch deploy/slurm-array.sh
# PHOTOS and OUTPUT may be in a bucket (s3://...). Send it again to make what is left: finished photos are skipped.
#SBATCH --job-name=relight
#SBATCH --array=1-100
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@60
#SBATCH --output=relight-%A_%a.log
set -euo pipefail

: "${PHOTOS:?set PHOTOS to a folder, a prefix or @LIST}"
: "${OUTPUT:?set OUTPUT to a folder or a prefix}"
REPORTS=${REPORTS:-reports}
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

# Shares count from 1, arrays from anything.
share=$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))
exec relight-cli deshadow "$PHOTOS" -r -o "$OUTPUT" --model tiny --quiet --skip-existing \
  --shard "$share/$SLURM_ARRAY_TASK_COUNT" --report "$REPORTS/$share.jsonl"
