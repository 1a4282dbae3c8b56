#!/usr/bin/env bash
# For each target: no training, training on random pool rows, training on retrieved pool rows.
#   TARGETS="tweets amazon" SEEDS=5 shell_scripts/demo/demo.sh CACHE RUNS
# What is there already is not made again, so it can be stopped and started at will.
set -euo pipefail
cd "$(dirname "$0")/../.."
export DEMO_CACHE=$1
runs=$2
configs=training_config/demo
export TRANSFORMERS_VERBOSITY=error HF_HUB_DISABLE_PROGRESS_BARS=1 TOKENIZERS_PARALLELISM=true

step() { # step DIR MESSAGE COMMAND...: runs the command unless DIR is there
  local product=$1 message=$2
  shift 2
  [ -e "$product" ] && return
  printf '\n== %s\n' "$message"
  "$@"
}
evaluate() { # evaluate ARM: accuracy on the target's test rows
  step "$folder/$1.json" "$TARGET: evaluate $1" \
    allennlp evaluate "$folder/$1/model.tar.gz" "$DEMO_CACHE/targets/$TARGET/test.jsonl" --output-file "$folder/$1.json"
}
train() { # train CONFIG ARM ROWS
  # A run that was stopped goes on; one that had nothing to go on from starts again.
  [ -e "$folder/$2" ] && [ ! -e "$folder/$2/model.tar.gz" ] && rm -rf "${folder:?}/$2"
  TRAIN_DATA_PATH=$3/retrieved.jsonl step "$folder/$2" "$TARGET: train $2" allennlp train "$configs/$1.jsonnet" -s "$folder/$2"
  evaluate "$2"
}

for TARGET in ${TARGETS:-tweets}; do
  export TARGET SEED=0
  folder=$runs/$TARGET
  mkdir -p "$folder"
  step "$folder/retrieved" "$TARGET: retrieve rows for its unlabelled inputs" \
    allennlp retrieve $configs/retrieve.jsonnet -s "$folder/retrieved"
  train untrained none_0 "$folder/retrieved"
  for ((SEED = 0; SEED < ${SEEDS:-1}; SEED++)); do
    step "$folder/random_rows_$SEED" "$TARGET: as many rows at random" \
      allennlp retrieve $configs/random.jsonnet -s "$folder/random_rows_$SEED"
    train train "random_$SEED" "$folder/random_rows_$SEED"
    train train "retrieved_$SEED" "$folder/retrieved"
  done
done
python shell_scripts/demo/report.py "$runs" ${TARGETS:-tweets}
