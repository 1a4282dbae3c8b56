#!/usr/bin/env bash
# DEFT: POOL_PATH=pool.jsonl QUERY_PATH=inputs.jsonl MODEL_NAME=google/t5-xl-lm-adapt shell_scripts/deft/bm25.sh DIR TEST.jsonl
set -euo pipefail
RETRIEVER=bm25 allennlp retrieve training_config/deft/retrieve.jsonnet -s "$1/rows"
TRAIN_DATA_PATH="$1/rows/retrieved.jsonl" VALIDATION_DATA_PATH="$2" allennlp train training_config/deft/task_retrieved_only.jsonnet -s "$1/model"
allennlp evaluate "$1/model/model.tar.gz" "$2" --weights-file "$(ls -t "$1"/model/model_state_e*.th | head -1)" --output-file "$1/metrics.json"
