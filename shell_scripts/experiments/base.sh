#!/usr/bin/env bash
# What the experiments begin with, of a P3 pool: a small BART, RUNS/base/transformer, trained on other tasks than those of
# tasks.libsonnet; and of these RUNS/tasks, their rows, and RUNS/gym. What is there already is not made again.
#   shell_scripts/experiments/base.sh MINILM POOL RUNS      MINILM: .cache/demo/encoder; POOL: P3 rows, .jsonl.gz
set -euo pipefail
configs=training_config/experiments
python shell_scripts/experiments/small_bart.py "$1" "$2" "$3/bart"
POOL_SOURCE=$2 allennlp build-pool $configs/base_pool.jsonnet -s "$3/base_pool"
[ -f "$3/base/model.tar.gz" ] || MODEL_NAME=$3/bart TRAIN_DATA_PATH=$3/base_pool/pool.jsonl \
  allennlp train $configs/base.jsonnet -s "$3/base" $([ -d "$3/base" ] && echo --recover)
[ -d "$3/tasks" ] || python shell_scripts/experiments/split_tasks.py "$2" "$3/tasks"
ROWS=$3/tasks allennlp build-gym $configs/gym.jsonnet -s "$3/gym"
