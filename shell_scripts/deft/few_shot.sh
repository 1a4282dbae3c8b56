#!/usr/bin/env bash
# DEFT-Few: POOL_PATH=pool.jsonl MODEL_NAME=google/t5-xl-lm-adapt shell_scripts/deft/few_shot.sh DIR SHOTS.jsonl TEST.jsonl
set -euo pipefail
QUERY_PATH="$2" allennlp retrieve training_config/deft/retrieve.jsonnet -s "$1/rows"
TRAIN_DATA_PATH="$1/rows/retrieved.jsonl" VALIDATION_DATA_PATH="$3" allennlp train training_config/deft/task_retrieved_only.jsonnet -s "$1/model"
TRAIN_DATA_PATH="$2" VALIDATION_DATA_PATH="$3" WEIGHTS_NAME="$(ls -t "$1"/model/model_state_e*.th | head -1)" allennlp train training_config/deft/tfew.jsonnet -s "$1/few_shot"
