#!/usr/bin/env bash
# DEFT: a target's prompted inputs -> nearest pool rows -> training -> evaluation.
#   POOL_PATH=pool.jsonl QUERY_PATH=queries.jsonl MODEL_NAME=google/t5-xl-lm-adapt shell_scripts/deft.sh RUNS TEST.jsonl
set -euo pipefail
runs=$1
test=$2
allennlp retrieve training_config/deft/retrieve.jsonnet -s "$runs/retrieved"
TRAIN_DATA_PATH=$runs/retrieved/retrieved.jsonl VALIDATION_DATA_PATH=$test \
  allennlp train training_config/deft/task_retrieved_only.jsonnet -s "$runs/model" --include-package attribution
allennlp evaluate "$runs/model/model.tar.gz" "$test" --output-file "$runs/metrics.json" \
  --predictions-output-file "$runs/predictions.jsonl" --include-package attribution
