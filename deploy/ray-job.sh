#!/bin/bash
# All photos as one job of a Ray cluster that runs already:
#   RAY_JOB_ADDRESS=http://HEAD:8265 PHOTOS=s3://bucket/photos/ OUTPUT=s3://bucket/out/ deploy/ray-job.sh
# Every node needs relight-cli of the same version with the extra `ray`, and must find PHOTOS and OUTPUT by these names.
# Send it again to make what is left: finished photos are skipped. Needs ray[default], for `ray job submit`.
set -euo pipefail

: "${RAY_JOB_ADDRESS:?set RAY_JOB_ADDRESS to where the head takes jobs, such as http://HEAD:8265}"
: "${PHOTOS:?set PHOTOS to a folder, a prefix or @LIST}"
: "${OUTPUT:?set OUTPUT to a folder or a prefix}"
REPORT=${REPORT:-${OUTPUT%/}.jsonl}

# The entrypoint runs on the head node; `auto` is the cluster that it belongs to.
exec ray job submit --address "$RAY_JOB_ADDRESS" -- relight-cli deshadow "$PHOTOS" -r -o "$OUTPUT" --model tiny --quiet \
  --skip-existing --report "$REPORT" --engine ray --ray-address auto ${ACTORS:+--actors "$ACTORS"}
