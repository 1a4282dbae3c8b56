#!/usr/bin/env bash
# ReCross, several query sets of one target and the same test rows. UPSTREAM is a trained model; or else MODEL_NAME is
# trained on POOL_PATH first. ARM=none, bart0, random, bm25, ...; MODE=unsupervised, few_shot, mix, two_stage, none;
# ROUNDS (5), QUERY_SIZE (16) and all variables of training_config/recross:
#   POOL_PATH=pool.jsonl UPSTREAM=yuchenlin/BART0 EXTRA_BOS=true ARM=bart0 shell_scripts/recross/recross.sh DIR TARGET TEST
# TARGET, TEST: prompted rows, or ReCross's .json. What is there already is not made again: the next ARM shares the rest.
set -euo pipefail
configs=training_config/recross
export ARM=${ARM:-bart0} MODE=${MODE:-unsupervised} QUERY_SIZE=${QUERY_SIZE:-16} ROUND OVERLAP_PATH="$1/test/pool.jsonl"
train() { # train CONFIG DIR: unless DIR is whole; one that was stopped goes on
  [ -f "$2/model.tar.gz" ] || allennlp train "$configs/$1.jsonnet" -s "$2" $([ -f "$2/config.json" ] && echo --recover)
}
if [ -z "${UPSTREAM:-}" ]; then
  UPSTREAM_PATH=$POOL_PATH train upstream "$1/upstream"
  UPSTREAM=$1/upstream/transformer
fi
export MODEL_NAME=$UPSTREAM
TARGET_PATH=$3 TARGET_SIZE=0 SHOTS=0 ROUND=0 allennlp build-pool $configs/target.jsonnet -s "$1/test"
encoder=${ARM%_rerank}
case $encoder in none | random | bm25 | two_stage) ;; *)
  ARM=$encoder allennlp embed $configs/embed.jsonnet -s "$1/vectors_$encoder"
  export VECTORS_PATH=$1/vectors_$encoder
esac
for ((ROUND = 0; ROUND < ${ROUNDS:-5}; ROUND++)); do
  queries=$1/round_$ROUND/queries run=$1/round_$ROUND/${ARM}_$MODE
  TARGET_PATH=$2 TARGET_SIZE=$QUERY_SIZE allennlp build-pool $configs/target.jsonnet -s "$queries"
  export FEW_SHOT_PATH=$queries/pool.jsonl RETRIEVED_PATH=$1/round_$ROUND/rows_$ARM/retrieved.jsonl
  [ "$ARM" = none ] || QUERY_PATH=$FEW_SHOT_PATH allennlp retrieve $configs/retrieve.jsonnet -s "$(dirname "$RETRIEVED_PATH")"
  first=$1/round_$ROUND/${ARM}_unsupervised
  if [ "$MODE" = two_stage ] && [ "$ARM" != none ]; then
    MODE=unsupervised train generalise "$first"
    WEIGHTS_NAME=$first/best.th train generalise "$run"
  else
    train generalise "$run"
  fi
  [ -f "$run/test.json" ] || allennlp evaluate "$run/model.tar.gz" "$OVERLAP_PATH" \
    --output-file "$run/test.json" --predictions-output-file "$run/predictions.jsonl"
done
