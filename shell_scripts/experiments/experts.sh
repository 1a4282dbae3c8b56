#!/usr/bin/env bash
# README's figures of experts by task: twelve tasks of a P3 pool to train on, four unseen ones with few answers, a small
# BART, LoRA experts.
#   shell_scripts/experiments/experts.sh MINILM POOL RUNS      as of base.sh; what comes out is RUNS/experts
# SHOT_SEEDS: samples of the gym (13; more of them extend what is there).
set -euo pipefail
configs=training_config/experiments
shell_scripts/experiments/base.sh "$1" "$2" "$3"
export GYM=$3/gym MODEL_NAME=$3/base/transformer TASK_SPLIT=$configs/split.json
export CATEGORIES=$configs/task_groups.json METRIC=accuracy
export TASKS='rotten_tomatoes glue-mrpc ag_news wiqa'
export INPUT_PREFIX='' MAX_QUERY_LENGTH=96 MAX_ANSWER_LENGTH=16 MAX_EXAMPLES=50
export EXPERT=lora LR=0.002 ROUTER_LR=0.01 ACCUMULATION=1 DEV_SEEDS=13
export STAGE_ONE_UPDATES=${STAGE_ONE_UPDATES:-100} STAGE_TWO_UPDATES=${STAGE_TWO_UPDATES:-100}
export STAGE_ONE_EVERY=${STAGE_ONE_EVERY:-50} STAGE_TWO_EVERY=${STAGE_TWO_EVERY:-50}
export UPDATES=${UPDATES:-24} VALIDATE_EVERY=${VALIDATE_EVERY:-24} RATES=0.002 BATCH_SIZES=8
export SHOT_SEEDS=${SHOT_SEEDS:-13}
shell_scripts/task_moe/two_stage.sh "$3/experts"
